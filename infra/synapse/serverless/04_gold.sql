-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- view: gold.fact_top10_global_weekly | 57160e9cc777
CREATE OR ALTER VIEW gold.fact_top10_global_weekly AS /* made 57160e9cc777 */
SELECT [week], [category], [weekly_rank], [week_key], [kind], [language], [chart_title_key], [show_title], [season_title], [weekly_hours_viewed], [runtime], [weekly_views], [cumulative_weeks_in_top_10], [is_staggered_launch], [episode_launch_details], [first_stated], [last_changed]
FROM OPENROWSET(BULK 'fact_top10_global_weekly', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [week] DATE,
    [category] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [weekly_rank] INT,
    [week_key] INT,
    [kind] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [language] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [chart_title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [season_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [weekly_hours_viewed] BIGINT,
    [runtime] FLOAT,
    [weekly_views] BIGINT,
    [cumulative_weeks_in_top_10] INT,
    [is_staggered_launch] BIT,
    [episode_launch_details] VARCHAR(4000) COLLATE Latin1_General_100_BIN2_UTF8,
    [first_stated] DATE,
    [last_changed] DATE
) AS files;
GO

-- view: gold.fact_top10_country_weekly | d5847294f5a1
CREATE OR ALTER VIEW gold.fact_top10_country_weekly AS /* made d5847294f5a1 */
SELECT [week], [country_iso2], [category], [weekly_rank], [week_key], [kind], [language], [chart_title_key], [show_title], [season_title], [country_name], [cumulative_weeks_in_top_10], [first_stated], [last_changed]
FROM OPENROWSET(BULK 'fact_top10_country_weekly', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [week] DATE,
    [country_iso2] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [category] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [weekly_rank] INT,
    [week_key] INT,
    [kind] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [language] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [chart_title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [season_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [country_name] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [cumulative_weeks_in_top_10] INT,
    [first_stated] DATE,
    [last_changed] DATE
) AS files;
GO

-- view: gold.fact_top10_restatement | 1ce516c44e95
CREATE OR ALTER VIEW gold.fact_top10_restatement AS /* made 1ce516c44e95 */
SELECT [scope], [week], [category], [weekly_rank], [delivery_date], [field], [said_before], [said_now], [said_before_on]
FROM OPENROWSET(BULK 'fact_top10_restatement', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [scope] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [week] DATE,
    [category] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [weekly_rank] INT,
    [delivery_date] DATE,
    [field] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [said_before] VARCHAR(4000) COLLATE Latin1_General_100_BIN2_UTF8,
    [said_now] VARCHAR(4000) COLLATE Latin1_General_100_BIN2_UTF8,
    [said_before_on] DATE
) AS files;
GO

-- view: gold.fact_most_popular | 4f881390a976
CREATE OR ALTER VIEW gold.fact_most_popular AS /* made 4f881390a976 */
SELECT [delivery_date], [category], [rank], [chart_title_key], [show_title], [season_title], [window_days], [hours_viewed], [runtime], [views], [kind], [language]
FROM OPENROWSET(BULK 'fact_most_popular', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [delivery_date] DATE,
    [category] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [rank] INT,
    [chart_title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [season_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [window_days] INT,
    [hours_viewed] BIGINT,
    [runtime] FLOAT,
    [views] BIGINT,
    [kind] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [language] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8
) AS files;
GO

-- view: gold.dim_week | 55556dcf5e27
CREATE OR ALTER VIEW gold.dim_week AS /* made 55556dcf5e27 */
SELECT [week_key], [week], [week_start], [iso_year], [iso_week], [year], [quarter], [month], [ranked_by], [has_global], [has_countries], [is_latest]
FROM OPENROWSET(BULK 'dim_week', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [week_key] INT,
    [week] DATE,
    [week_start] DATE,
    [iso_year] INT,
    [iso_week] INT,
    [year] INT,
    [quarter] INT,
    [month] INT,
    [ranked_by] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [has_global] BIT,
    [has_countries] BIT,
    [is_latest] BIT
) AS files;
GO

-- view: gold.kpi_top10 | e38b05271175
CREATE OR ALTER VIEW gold.kpi_top10 AS /* made e38b05271175 */
SELECT [week], [week_key], [kpi], [member], [value], [unit]
FROM OPENROWSET(BULK '/', DATA_SOURCE = 'kpi_top10', FORMAT = 'DELTA') WITH (
    [week] DATE,
    [week_key] INT,
    [kpi] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [member] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [value] FLOAT,
    [unit] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8
) AS files;
GO

-- view: gold.fact_engagement | 47054e7c246f
CREATE OR ALTER VIEW gold.fact_engagement AS /* made 47054e7c246f */
SELECT [period], [period_start], [period_end], [kind], [title_delivered], [work], [title], [native_title], [show_title], [season_title], [chart_title_key], [available_globally], [release_date], [hours_viewed], [runtime_minutes], [views], [stated_on], [first_stated], [source_file], [record_number]
FROM OPENROWSET(BULK 'fact_engagement', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [period] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [period_start] DATE,
    [period_end] DATE,
    [kind] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title_delivered] VARCHAR(2000) COLLATE Latin1_General_100_BIN2_UTF8,
    [work] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [native_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [season_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [chart_title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [available_globally] BIT,
    [release_date] DATE,
    [hours_viewed] BIGINT,
    [runtime_minutes] INT,
    [views] BIGINT,
    [stated_on] DATE,
    [first_stated] DATE,
    [source_file] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [record_number] BIGINT
) AS files;
GO

-- view: gold.bridge_title_chart | 835b9498cb04
CREATE OR ALTER VIEW gold.bridge_title_chart AS /* made 835b9498cb04 */
SELECT [chart_title_key], [kind], [show_title], [title_key], [match_method], [confidence], [candidates], [is_inferred], [first_seen], [in_catalogue_since]
FROM OPENROWSET(BULK 'bridge_title_chart', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [chart_title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [kind] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [match_method] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [confidence] FLOAT,
    [candidates] INT,
    [is_inferred] BIT,
    [first_seen] DATE,
    [in_catalogue_since] DATE
) AS files;
GO

-- view: gold.dim_title | 50ca0222d504
CREATE OR ALTER VIEW gold.dim_title AS /* made 50ca0222d504 */
SELECT [title_sk], [title_key], [natural_key], [show_id], [show_id_release], [type], [type_flag], [title], [short_title], [date_added], [release_year], [rating], [rating_family], [duration_minutes], [duration_seasons], [description], [cast_release], [directors_release], [countries_release], [genres_release], [changed_columns], [valid_from], [valid_to], [is_current], [is_inferred]
FROM OPENROWSET(BULK 'dim_title', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [title_sk] BIGINT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [natural_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_id] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [show_id_release] DATE,
    [type] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [type_flag] INT,
    [title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [short_title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [date_added] DATE,
    [release_year] INT,
    [rating] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [rating_family] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [duration_minutes] INT,
    [duration_seasons] INT,
    [description] VARCHAR(4000) COLLATE Latin1_General_100_BIN2_UTF8,
    [cast_release] DATE,
    [directors_release] DATE,
    [countries_release] DATE,
    [genres_release] DATE,
    [changed_columns] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [valid_from] DATE,
    [valid_to] DATE,
    [is_current] BIT,
    [is_inferred] BIT
) AS files;
GO

-- view: gold.dim_person | 1b7ee009550a
CREATE OR ALTER VIEW gold.dim_person AS /* made 1b7ee009550a */
SELECT [person_sk], [person_key], [name], [is_cast], [is_director], [first_release], [last_release]
FROM OPENROWSET(BULK 'dim_person', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [person_sk] BIGINT,
    [person_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [name] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [is_cast] BIT,
    [is_director] BIT,
    [first_release] DATE,
    [last_release] DATE
) AS files;
GO

-- view: gold.dim_country | c5d2c8d2d7fc
CREATE OR ALTER VIEW gold.dim_country AS /* made c5d2c8d2d7fc */
SELECT [country_sk], [country_key], [country], [iso_alpha2], [iso_alpha3], [exists_today], [in_catalogue], [in_charts]
FROM OPENROWSET(BULK 'dim_country', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [country_sk] BIGINT,
    [country_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [country] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [iso_alpha2] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [iso_alpha3] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [exists_today] BIT,
    [in_catalogue] BIT,
    [in_charts] BIT
) AS files;
GO

-- view: gold.dim_genre | fd1b030af682
CREATE OR ALTER VIEW gold.dim_genre AS /* made fd1b030af682 */
SELECT [genre_sk], [genre_key], [genre], [lists]
FROM OPENROWSET(BULK 'dim_genre', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [genre_sk] BIGINT,
    [genre_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [genre] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [lists] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8
) AS files;
GO

-- view: gold.dim_rating | 5a946c54ca4f
CREATE OR ALTER VIEW gold.dim_rating AS /* made 5a946c54ca4f */
SELECT [rating], [name], [rating_family], [audience], [minimum_age], [severity]
FROM OPENROWSET(BULK 'dim_rating', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [rating] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [name] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [rating_family] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [audience] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [minimum_age] INT,
    [severity] INT
) AS files;
GO

-- view: gold.dim_date | fe3aa5ca149f
CREATE OR ALTER VIEW gold.dim_date AS /* made fe3aa5ca149f */
SELECT [date_key], [date], [year], [quarter], [month], [month_name], [year_month], [iso_week], [day_of_month], [day_of_week], [day_name], [is_weekend], [is_release]
FROM OPENROWSET(BULK 'dim_date', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [date_key] INT,
    [date] DATE,
    [year] INT,
    [quarter] INT,
    [month] INT,
    [month_name] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [year_month] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [iso_week] INT,
    [day_of_month] INT,
    [day_of_week] INT,
    [day_name] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [is_weekend] BIT,
    [is_release] BIT
) AS files;
GO

-- view: gold.bridge_title_cast | f348bbafa72e
CREATE OR ALTER VIEW gold.bridge_title_cast AS /* made f348bbafa72e */
SELECT [title_sk], [title_key], [person_sk], [billing_order], [weight], [is_current]
FROM OPENROWSET(BULK 'bridge_title_cast', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [title_sk] BIGINT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [person_sk] BIGINT,
    [billing_order] INT,
    [weight] FLOAT,
    [is_current] BIT
) AS files;
GO

-- view: gold.bridge_title_director | 8f9d8435dcd0
CREATE OR ALTER VIEW gold.bridge_title_director AS /* made 8f9d8435dcd0 */
SELECT [title_sk], [title_key], [person_sk], [credit_order], [weight], [is_current]
FROM OPENROWSET(BULK 'bridge_title_director', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [title_sk] BIGINT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [person_sk] BIGINT,
    [credit_order] INT,
    [weight] FLOAT,
    [is_current] BIT
) AS files;
GO

-- view: gold.bridge_title_country | 18894c25edf0
CREATE OR ALTER VIEW gold.bridge_title_country AS /* made 18894c25edf0 */
SELECT [title_sk], [title_key], [country_sk], [country_order], [weight], [is_current]
FROM OPENROWSET(BULK 'bridge_title_country', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [title_sk] BIGINT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [country_sk] BIGINT,
    [country_order] INT,
    [weight] FLOAT,
    [is_current] BIT
) AS files;
GO

-- view: gold.bridge_title_genre | e29f698b6022
CREATE OR ALTER VIEW gold.bridge_title_genre AS /* made e29f698b6022 */
SELECT [title_sk], [title_key], [genre_sk], [genre_order], [weight], [is_current]
FROM OPENROWSET(BULK 'bridge_title_genre', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [title_sk] BIGINT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [genre_sk] BIGINT,
    [genre_order] INT,
    [weight] FLOAT,
    [is_current] BIT
) AS files;
GO

-- view: gold.fact_catalogue_change | a9f15ff01a48
CREATE OR ALTER VIEW gold.fact_catalogue_change AS /* made a9f15ff01a48 */
SELECT [release_date], [date_key], [title_key], [title_sk], [natural_key], [change], [changed_columns], [is_return], [is_baseline]
FROM OPENROWSET(BULK 'fact_catalogue_change', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [release_date] DATE,
    [date_key] INT,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title_sk] BIGINT,
    [natural_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [change] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [changed_columns] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [is_return] BIT,
    [is_baseline] BIT
) AS files;
GO

-- view: gold.fact_release_title | 4aa65bca9914
CREATE OR ALTER VIEW gold.fact_release_title AS /* made 4aa65bca9914 */
SELECT [release_date], [title_key], [type], [title], [release_year], [date_added], [rating], [rating_family], [duration_minutes], [duration_seasons]
FROM OPENROWSET(BULK 'fact_release_title', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [release_date] DATE,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [type] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [release_year] INT,
    [date_added] DATE,
    [rating] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [rating_family] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [duration_minutes] INT,
    [duration_seasons] INT
) AS files;
GO

-- view: gold.fact_release_listing | 119ff5cb761b
CREATE OR ALTER VIEW gold.fact_release_listing AS /* made 119ff5cb761b */
SELECT [release_date], [title_key], [list], [member_key], [member], [position], [members]
FROM OPENROWSET(BULK 'fact_release_listing', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [release_date] DATE,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [list] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [member_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [member] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [position] INT,
    [members] BIGINT
) AS files;
GO

-- view: gold.kpi_catalogue | d1607b3247ac
CREATE OR ALTER VIEW gold.kpi_catalogue AS /* made d1607b3247ac */
SELECT [delivery_date], [kpi], [member], [value], [unit], [rank]
FROM OPENROWSET(BULK '/', DATA_SOURCE = 'kpi_catalogue', FORMAT = 'DELTA') WITH (
    [delivery_date] DATE,
    [kpi] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [member] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [value] FLOAT,
    [unit] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [rank] INT
) AS files;
GO

-- view: gold.fact_viewing_hourly | 30dadc3f4eee
CREATE OR ALTER VIEW gold.fact_viewing_hourly AS /* made 30dadc3f4eee */
SELECT [event_hour], [event_date], [title_key], [title], [country], [device], [events], [viewers], [seconds_viewed], [hours_viewed], [late_events]
FROM OPENROWSET(BULK 'fact_viewing_hourly', DATA_SOURCE = 'gold', FORMAT = 'DELTA') WITH (
    [event_hour] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [event_date] DATE,
    [title_key] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [title] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [country] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [device] VARCHAR(1000) COLLATE Latin1_General_100_BIN2_UTF8,
    [events] BIGINT,
    [viewers] BIGINT,
    [seconds_viewed] BIGINT,
    [hours_viewed] FLOAT,
    [late_events] BIGINT
) AS files;
GO
