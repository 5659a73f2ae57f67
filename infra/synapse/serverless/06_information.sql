-- Made from contracts, metrics and infra/access.yaml by `python -m infra.access synapse`: change those.

-- view: information.tables | af7266e8a87a
CREATE OR ALTER VIEW information.tables AS /* made af7266e8a87a */
SELECT N'gold.fact_top10_global_weekly' AS table_name, N'one place of one weekly chart of the world' AS one_row_is, N'week, category, weekly_rank' AS key_columns, N'The weekly Top 10 of the world: hours, views and weeks of every place, as the newest delivery that states the
chart has it. A place that this delivery does not list any more is gone; a chart that newer deliveries omit stays.

Ranked by hours until the week of 2023-06-11, by views since.' AS description
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'one place of one weekly chart of one country', N'week, country_iso2, category, weekly_rank', N'The weekly Top 10 of each country: titles and weeks of every place, as the newest delivery that states the
chart has it. Netflix states no hours by country.'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'one field of one place that one delivery restated', N'scope, week, category, weekly_rank, delivery_date, field', N'What the charts have restated: each field that a delivery states otherwise than the one before it. For a place
that a delivery ends, or that comes back, this is its title: stated before and not now, or the other way round.

A number that an earlier generation of the files did not have yet is an addition, not a restatement.'
UNION ALL
SELECT N'gold.fact_most_popular', N'one place of one list of the most popular titles, as of one delivery', N'delivery_date, category, rank', N'The most popular titles of all time as each delivery listed them: a snapshot a delivery, the newest is the
list of today.'
UNION ALL
SELECT N'gold.dim_week', N'one week for which there is a chart', N'week_key', N'The weeks of the charts. A week runs from Monday to Sunday.'
UNION ALL
SELECT N'gold.kpi_top10', N'one figure of one member of one week', N'week, kpi, member', N'Of the charts of the world, by category: hours, views, debuts, retention, evergreens, concentration; of those of
countries: how many have a title. What each means is said in tables/metrics.py.

A figure that cannot be known is absent, never 0: when one of its places does not state what it is made of, and a
share of nothing (a chart whose hours sum to 0).'
UNION ALL
SELECT N'gold.fact_engagement', N'one work in one half-year: a title; where a report lists several works of that name, each of them', N'period, kind, title_delivered, work', N'Hours and views of every title in every half-year, as the newest report states them.

A half-year that several deliveries state is settled title by title: the newest that names the title counts, with
all works of that name that it lists, and a title that it leaves out stays, because a shorter report is not a
deletion. Where a report does not separate films and shows, a title has the kind that all other reports give it;
where one workbook has both forms, the sheet with kinds counts.'
UNION ALL
SELECT N'gold.bridge_title_chart', N'one title as charts and reports name it', N'chart_title_key', N'Every title that a chart or report names, and the title of the catalogue that it most likely means.

Of several candidates the one that is in the catalogue still, and the newest that was out by then, is taken. A
title that the catalogue lacks is an inferred member of ``dim_title`` until a release brings it. Where a report
lists several works of one name, each is matched with a title of about the year in which it was released.'
UNION ALL
SELECT N'gold.dim_title', N'one version of one title: a stretch of releases over which nothing of it changed', N'title_sk', N'The titles: every version of those that the catalogue has named, and one row for each that only charts or
reports name (an inferred member), until a release brings it.

"The catalogue as of D": ``NOT is_inferred AND valid_from <= D AND (valid_to IS NULL OR valid_to > D)``.'
UNION ALL
SELECT N'gold.dim_person', N'one person, by name: spellings that differ in case only are one person', N'person_sk', N'Everyone that a release names in a cast or as a director. Namesakes are one person here.'
UNION ALL
SELECT N'gold.dim_country', N'one country, whatever releases of the catalogue and charts call it', N'country_sk', N'Every country that a release or a chart names, with its ISO code: a conformed dimension.

Charts identify a country by its code: renamed it stays one, and two with one name stay two. Releases give its
name, which tables/reference.py maps to the same key.'
UNION ALL
SELECT N'gold.dim_genre', N'one genre that titles are listed in', N'genre_sk', N'The genres (Netflix''s "listed in") and the kinds of title that they list.'
UNION ALL
SELECT N'gold.dim_rating', N'one maturity rating', N'rating', N'The known maturity ratings and those that some release has used.'
UNION ALL
SELECT N'gold.dim_date', N'one calendar day', N'date_key', N'Every day from the first year to the last in which a title was added or a release delivered: a conformed
dimension.'
UNION ALL
SELECT N'gold.bridge_title_cast', N'one person of one version of one title', N'title_sk, person_sk', N'The cast of every version of every title.'
UNION ALL
SELECT N'gold.bridge_title_director', N'one person of one version of one title', N'title_sk, person_sk', N'The directors of every version of every title.'
UNION ALL
SELECT N'gold.bridge_title_country', N'one country of one version of one title', N'title_sk, country_sk', N'The countries of production of every version of every title.'
UNION ALL
SELECT N'gold.bridge_title_genre', N'one genre of one version of one title', N'title_sk, genre_sk', N'The genres of every version of every title.'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'one title that one release added, changed or removed', N'release_date, title_key', N'Added, changed, removed: each title of each release that differs from the release before.'
UNION ALL
SELECT N'gold.fact_release_title', N'one title of one release', N'release_date, title_key', N'What the catalogue held: a snapshot of every accepted release. Do not add releases up: a title is in as many of
them as it stayed.'
UNION ALL
SELECT N'gold.fact_release_listing', N'one member of one list of one title of one release', N'release_date, list, title_key, member_key', N'Who and what the titles of each accepted release list: cast, directors, countries, genres, and which two
countries produced a title together. It has no measure: count its rows, of one list at a time.'
UNION ALL
SELECT N'gold.kpi_catalogue', N'one figure of one member of one release', N'delivery_date, kpi, member', N'Counts by type, rating, country, genre and month added; growth; lag from release to addition; lengths and
their ranking; co-productions; the people with the most titles. What each means is said in tables/metrics.py.'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'one title in one country on one kind of device in one hour', N'event_hour, title_key, country, device', N'Hours viewed and viewers of every title, by the hour in which the viewing began. A late event counts in that
hour, not in the one in which it came; a stretch over several hours counts in its first.';
GO

-- view: information.columns | cb54790e49d8
CREATE OR ALTER VIEW information.columns AS /* made cb54790e49d8 */
SELECT N'gold.fact_top10_global_weekly' AS table_name, N'1' AS position, N'week' AS column_name, N'DATE' AS data_type, N'Sunday on which the week ends' AS description
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'2', N'category', N'VARCHAR(1000)', N'Category under the name that it has now'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'3', N'weekly_rank', N'INT', N'Place in the chart of the week and category, from 1'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'4', N'week_key', N'INT', N'The week in dim_week, as yyyymmdd'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'5', N'kind', N'VARCHAR(1000)', N'film or tv, from the category'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'6', N'language', N'VARCHAR(1000)', N'English or Non-English; null where charts do not tell'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'7', N'chart_title_key', N'VARCHAR(1000)', N'The title as charts name it: film|title or tv|title in lower case, any|title where the category is not known; seasons share it'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'8', N'show_title', N'VARCHAR(1000)', N'Title of the film or show'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'9', N'season_title', N'VARCHAR(1000)', N'Title of the season; null for films'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'10', N'weekly_hours_viewed', N'BIGINT', N'Hours viewed in the week'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'11', N'runtime', N'FLOAT', N'Length in hours; null where it is not stated or the launch is staggered'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'12', N'weekly_views', N'BIGINT', N'Views in the week: hours divided by length, since 2023-06'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'13', N'cumulative_weeks_in_top_10', N'INT', N'Weeks in this Top 10 so far, this one included'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'14', N'is_staggered_launch', N'BIT', N'Whether the season was launched in steps'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'15', N'episode_launch_details', N'VARCHAR(4000)', N'JSON: how many episodes were out in which countries'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'16', N'first_stated', N'DATE', N'First delivery that stated the place'
UNION ALL
SELECT N'gold.fact_top10_global_weekly', N'17', N'last_changed', N'DATE', N'Delivery that first stated it so'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'1', N'week', N'DATE', N'Sunday on which the week ends'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'2', N'country_iso2', N'VARCHAR(1000)', N'ISO 3166-1 alpha-2 code of the country'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'3', N'category', N'VARCHAR(1000)', N'Category under the name that it has now'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'4', N'weekly_rank', N'INT', N'Place in the chart of the week and category, from 1'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'5', N'week_key', N'INT', N'The week in dim_week, as yyyymmdd'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'6', N'kind', N'VARCHAR(1000)', N'film or tv, from the category'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'7', N'language', N'VARCHAR(1000)', N'English or Non-English; null where charts do not tell'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'8', N'chart_title_key', N'VARCHAR(1000)', N'The title as charts name it: film|title or tv|title in lower case, any|title where the category is not known; seasons share it'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'9', N'show_title', N'VARCHAR(1000)', N'Title of the film or show'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'10', N'season_title', N'VARCHAR(1000)', N'Title of the season; null for films'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'11', N'country_name', N'VARCHAR(1000)', N'Country in English'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'12', N'cumulative_weeks_in_top_10', N'INT', N'Weeks in this Top 10 so far, this one included'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'13', N'first_stated', N'DATE', N'First delivery that stated the place'
UNION ALL
SELECT N'gold.fact_top10_country_weekly', N'14', N'last_changed', N'DATE', N'Delivery that first stated it so'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'1', N'scope', N'VARCHAR(1000)', N'global, or the ISO code of the country'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'2', N'week', N'DATE', N'Sunday on which the week ends'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'3', N'category', N'VARCHAR(1000)', N'Category under the name that it has now'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'4', N'weekly_rank', N'INT', N'Place in the chart'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'5', N'delivery_date', N'DATE', N'The delivery that states the new value'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'6', N'field', N'VARCHAR(1000)', N'What was restated, such as weekly_hours_viewed'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'7', N'said_before', N'VARCHAR(4000)', N'The old value, as text; null: not stated'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'8', N'said_now', N'VARCHAR(4000)', N'The new value, as text; null: not stated'
UNION ALL
SELECT N'gold.fact_top10_restatement', N'9', N'said_before_on', N'DATE', N'The delivery that stated the old value'
UNION ALL
SELECT N'gold.fact_most_popular', N'1', N'delivery_date', N'DATE', N'Date of the delivery that states it'
UNION ALL
SELECT N'gold.fact_most_popular', N'2', N'category', N'VARCHAR(1000)', N'Category under the name that it has now'
UNION ALL
SELECT N'gold.fact_most_popular', N'3', N'rank', N'INT', N'Place in the list, from 1'
UNION ALL
SELECT N'gold.fact_most_popular', N'4', N'chart_title_key', N'VARCHAR(1000)', N'The title as charts name it: film|title or tv|title in lower case, any|title where the category is not known; seasons share it'
UNION ALL
SELECT N'gold.fact_most_popular', N'5', N'show_title', N'VARCHAR(1000)', N'Title of the film or show'
UNION ALL
SELECT N'gold.fact_most_popular', N'6', N'season_title', N'VARCHAR(1000)', N'Title of the season; null for films'
UNION ALL
SELECT N'gold.fact_most_popular', N'7', N'window_days', N'INT', N'Days after the launch that count: 28 until 2023-06, 91 since; of a row that states both, 91'
UNION ALL
SELECT N'gold.fact_most_popular', N'8', N'hours_viewed', N'BIGINT', N'Hours viewed in these days'
UNION ALL
SELECT N'gold.fact_most_popular', N'9', N'runtime', N'FLOAT', N'Length in hours'
UNION ALL
SELECT N'gold.fact_most_popular', N'10', N'views', N'BIGINT', N'Views in these days: hours divided by length'
UNION ALL
SELECT N'gold.fact_most_popular', N'11', N'kind', N'VARCHAR(1000)', N'film or tv, from the category'
UNION ALL
SELECT N'gold.fact_most_popular', N'12', N'language', N'VARCHAR(1000)', N'English or Non-English'
UNION ALL
SELECT N'gold.dim_week', N'1', N'week_key', N'INT', N'The week as yyyymmdd of its last day'
UNION ALL
SELECT N'gold.dim_week', N'2', N'week', N'DATE', N'Sunday on which the week ends'
UNION ALL
SELECT N'gold.dim_week', N'3', N'week_start', N'DATE', N'Monday on which it begins'
UNION ALL
SELECT N'gold.dim_week', N'4', N'iso_year', N'INT', N'ISO 8601 year of the week'
UNION ALL
SELECT N'gold.dim_week', N'5', N'iso_week', N'INT', N'ISO 8601 week, 1 to 53'
UNION ALL
SELECT N'gold.dim_week', N'6', N'year', N'INT', N'Year of its Sunday'
UNION ALL
SELECT N'gold.dim_week', N'7', N'quarter', N'INT', N'Quarter of its Sunday, 1 to 4'
UNION ALL
SELECT N'gold.dim_week', N'8', N'month', N'INT', N'Month of its Sunday, 1 to 12'
UNION ALL
SELECT N'gold.dim_week', N'9', N'ranked_by', N'VARCHAR(1000)', N'What the charts of the world were ranked by: hours, or views since 2023-06'
UNION ALL
SELECT N'gold.dim_week', N'10', N'has_global', N'BIT', N'Whether there is a chart of the world'
UNION ALL
SELECT N'gold.dim_week', N'11', N'has_countries', N'BIT', N'Whether there are charts of countries'
UNION ALL
SELECT N'gold.dim_week', N'12', N'is_latest', N'BIT', N'Whether it is the newest week'
UNION ALL
SELECT N'gold.kpi_top10', N'1', N'week', N'DATE', N'Sunday on which the week ends'
UNION ALL
SELECT N'gold.kpi_top10', N'2', N'week_key', N'INT', N'The week in dim_week'
UNION ALL
SELECT N'gold.kpi_top10', N'3', N'kpi', N'VARCHAR(1000)', N'Name of the figure, such as hours or retention'
UNION ALL
SELECT N'gold.kpi_top10', N'4', N'member', N'VARCHAR(1000)', N'What it is the figure of: a category, film, tv, all, or a title'
UNION ALL
SELECT N'gold.kpi_top10', N'5', N'value', N'FLOAT', N'The figure'
UNION ALL
SELECT N'gold.kpi_top10', N'6', N'unit', N'VARCHAR(1000)', N'hours, views, weeks, titles, share, index or countries'
UNION ALL
SELECT N'gold.fact_engagement', N'1', N'period', N'VARCHAR(1000)', N'The half-year, such as 2023H1'
UNION ALL
SELECT N'gold.fact_engagement', N'2', N'period_start', N'DATE', N'First day of the period'
UNION ALL
SELECT N'gold.fact_engagement', N'3', N'period_end', N'DATE', N'Last day of the period'
UNION ALL
SELECT N'gold.fact_engagement', N'4', N'kind', N'VARCHAR(1000)', N'film or tv, perhaps from another report; any when none shows which'
UNION ALL
SELECT N'gold.fact_engagement', N'5', N'title_delivered', N'VARCHAR(2000)', N'The title as the report gives it: English // native'
UNION ALL
SELECT N'gold.fact_engagement', N'6', N'work', N'VARCHAR(1000)', N'Which of several works of that name: its release date, or undated, and its minutes if needed; empty where no report lists several'
UNION ALL
SELECT N'gold.fact_engagement', N'7', N'title', N'VARCHAR(1000)', N'The English part of the title, the season included'
UNION ALL
SELECT N'gold.fact_engagement', N'8', N'native_title', N'VARCHAR(1000)', N'The title in its own language, null when only one is given'
UNION ALL
SELECT N'gold.fact_engagement', N'9', N'show_title', N'VARCHAR(1000)', N'The title without its season; of a film the title'
UNION ALL
SELECT N'gold.fact_engagement', N'10', N'season_title', N'VARCHAR(1000)', N'The title when it names a season, null of anything else'
UNION ALL
SELECT N'gold.fact_engagement', N'11', N'chart_title_key', N'VARCHAR(1000)', N'Identity of the title in charts and reports: film|, tv| or any|title, and |work where there are several'
UNION ALL
SELECT N'gold.fact_engagement', N'12', N'available_globally', N'BIT', N'Whether it is offered in all countries'
UNION ALL
SELECT N'gold.fact_engagement', N'13', N'release_date', N'DATE', N'First day on Netflix, null for what Netflix licensed'
UNION ALL
SELECT N'gold.fact_engagement', N'14', N'hours_viewed', N'BIGINT', N'Hours watched in the period, rounded to 100,000 by Netflix'
UNION ALL
SELECT N'gold.fact_engagement', N'15', N'runtime_minutes', N'INT', N'Length, of a season all episodes together; null when not stated'
UNION ALL
SELECT N'gold.fact_engagement', N'16', N'views', N'BIGINT', N'Hours watched by length, rounded to 100,000 by Netflix; null before 2023H2'
UNION ALL
SELECT N'gold.fact_engagement', N'17', N'stated_on', N'DATE', N'The delivery that states it'
UNION ALL
SELECT N'gold.fact_engagement', N'18', N'first_stated', N'DATE', N'First delivery that names it'
UNION ALL
SELECT N'gold.fact_engagement', N'19', N'source_file', N'VARCHAR(1000)', N'File that the row came in'
UNION ALL
SELECT N'gold.fact_engagement', N'20', N'record_number', N'BIGINT', N'Record of that file'
UNION ALL
SELECT N'gold.bridge_title_chart', N'1', N'chart_title_key', N'VARCHAR(1000)', N'The title as charts name it: film|title, tv|title or any|title; |work after'
UNION ALL
SELECT N'gold.bridge_title_chart', N'2', N'kind', N'VARCHAR(1000)', N'film, tv, or any where the chart or report does not say'
UNION ALL
SELECT N'gold.bridge_title_chart', N'3', N'show_title', N'VARCHAR(1000)', N'The title as written, in its newest spelling'
UNION ALL
SELECT N'gold.bridge_title_chart', N'4', N'title_key', N'VARCHAR(1000)', N'The title in dim_title; of an inferred member inferred|chart_title_key'
UNION ALL
SELECT N'gold.bridge_title_chart', N'5', N'match_method', N'VARCHAR(1000)', N'What matches: title: title in lower case, and kind; folded: title without accents and punctuation, and kind; inferred: nothing: the catalogue does not have it (yet)'
UNION ALL
SELECT N'gold.bridge_title_chart', N'6', N'confidence', N'FLOAT', N'0 (inferred) to 1 (same title and kind, one candidate)'
UNION ALL
SELECT N'gold.bridge_title_chart', N'7', N'candidates', N'INT', N'Titles of the catalogue that match this way'
UNION ALL
SELECT N'gold.bridge_title_chart', N'8', N'is_inferred', N'BIT', N'Whether the catalogue does not have the title'
UNION ALL
SELECT N'gold.bridge_title_chart', N'9', N'first_seen', N'DATE', N'First delivery of a chart or report that names it'
UNION ALL
SELECT N'gold.bridge_title_chart', N'10', N'in_catalogue_since', N'DATE', N'First release of the catalogue that has the title; null while inferred'
UNION ALL
SELECT N'gold.dim_title', N'1', N'title_sk', N'BIGINT', N'Surrogate key of this version: hash of title_key and valid_from, the same in every rebuild'
UNION ALL
SELECT N'gold.dim_title', N'2', N'title_key', N'VARCHAR(1000)', N'Durable identity: type|title|year[|n]'
UNION ALL
SELECT N'gold.dim_title', N'3', N'natural_key', N'VARCHAR(1000)', N'type|title|year'
UNION ALL
SELECT N'gold.dim_title', N'4', N'show_id', N'VARCHAR(1000)', N'Number of the title in show_id_release'
UNION ALL
SELECT N'gold.dim_title', N'5', N'show_id_release', N'DATE', N'Last release of this version: there show_id is valid'
UNION ALL
SELECT N'gold.dim_title', N'6', N'type', N'VARCHAR(1000)', N'Movie or TV Show'
UNION ALL
SELECT N'gold.dim_title', N'7', N'type_flag', N'INT', N'1 Movie, 2 TV Show, 0 anything else'
UNION ALL
SELECT N'gold.dim_title', N'8', N'title', N'VARCHAR(1000)', N'Title as shown'
UNION ALL
SELECT N'gold.dim_title', N'9', N'short_title', N'VARCHAR(1000)', N'The title before its first colon'
UNION ALL
SELECT N'gold.dim_title', N'10', N'date_added', N'DATE', N'Day the title was added to Netflix'
UNION ALL
SELECT N'gold.dim_title', N'11', N'release_year', N'INT', N'Year of first release anywhere'
UNION ALL
SELECT N'gold.dim_title', N'12', N'rating', N'VARCHAR(1000)', N'Maturity rating, see dim_rating'
UNION ALL
SELECT N'gold.dim_title', N'13', N'rating_family', N'VARCHAR(1000)', N'System that the rating belongs to'
UNION ALL
SELECT N'gold.dim_title', N'14', N'duration_minutes', N'INT', N'Length of a movie in minutes'
UNION ALL
SELECT N'gold.dim_title', N'15', N'duration_seasons', N'INT', N'Seasons of a show'
UNION ALL
SELECT N'gold.dim_title', N'16', N'description', N'VARCHAR(4000)', N'Synopsis'
UNION ALL
SELECT N'gold.dim_title', N'17', N'cast_release', N'DATE', N'Release that states the cast of this version'
UNION ALL
SELECT N'gold.dim_title', N'18', N'directors_release', N'DATE', N'Release that states the directors of this version'
UNION ALL
SELECT N'gold.dim_title', N'19', N'countries_release', N'DATE', N'Release that states the countries of this version'
UNION ALL
SELECT N'gold.dim_title', N'20', N'genres_release', N'DATE', N'Release that states the genres of this version'
UNION ALL
SELECT N'gold.dim_title', N'21', N'changed_columns', N'VARCHAR(1000)', N'Columns that differ from the version that ended when this one began; null when there is none'
UNION ALL
SELECT N'gold.dim_title', N'22', N'valid_from', N'DATE', N'First release of this version'
UNION ALL
SELECT N'gold.dim_title', N'23', N'valid_to', N'DATE', N'First release in which it is no longer so (exclusive); null while it is so'
UNION ALL
SELECT N'gold.dim_title', N'24', N'is_current', N'BIT', N'Whether it is so in the newest release'
UNION ALL
SELECT N'gold.dim_title', N'25', N'is_inferred', N'BIT', N'A title that only charts or reports name: the catalogue does not have it (yet)'
UNION ALL
SELECT N'gold.dim_person', N'1', N'person_sk', N'BIGINT', N'Surrogate key: hash of person_key'
UNION ALL
SELECT N'gold.dim_person', N'2', N'person_key', N'VARCHAR(1000)', N'The name in lower case'
UNION ALL
SELECT N'gold.dim_person', N'3', N'name', N'VARCHAR(1000)', N'The spelling used most'
UNION ALL
SELECT N'gold.dim_person', N'4', N'is_cast', N'BIT', N'Was in the cast of some title'
UNION ALL
SELECT N'gold.dim_person', N'5', N'is_director', N'BIT', N'Directed some title'
UNION ALL
SELECT N'gold.dim_person', N'6', N'first_release', N'DATE', N'First release that names the person'
UNION ALL
SELECT N'gold.dim_person', N'7', N'last_release', N'DATE', N'Last release that names the person'
UNION ALL
SELECT N'gold.dim_country', N'1', N'country_sk', N'BIGINT', N'Surrogate key: hash of country_key'
UNION ALL
SELECT N'gold.dim_country', N'2', N'country_key', N'VARCHAR(1000)', N'The everyday name in lower case; for a code that ISO does not know, the code'
UNION ALL
SELECT N'gold.dim_country', N'3', N'country', N'VARCHAR(1000)', N'The name as the newest release or chart writes it'
UNION ALL
SELECT N'gold.dim_country', N'4', N'iso_alpha2', N'VARCHAR(1000)', N'ISO 3166-1 alpha-2 code by name, else as charts state it; of former countries the code they had'
UNION ALL
SELECT N'gold.dim_country', N'5', N'iso_alpha3', N'VARCHAR(1000)', N'ISO 3166-1 alpha-3 code'
UNION ALL
SELECT N'gold.dim_country', N'6', N'exists_today', N'BIT', N'False for former countries such as the Soviet Union'
UNION ALL
SELECT N'gold.dim_country', N'7', N'in_catalogue', N'BIT', N'Whether a title was produced there'
UNION ALL
SELECT N'gold.dim_country', N'8', N'in_charts', N'BIT', N'Whether it has a Top 10 of its own'
UNION ALL
SELECT N'gold.dim_genre', N'1', N'genre_sk', N'BIGINT', N'Surrogate key: hash of genre_key'
UNION ALL
SELECT N'gold.dim_genre', N'2', N'genre_key', N'VARCHAR(1000)', N'The name in lower case'
UNION ALL
SELECT N'gold.dim_genre', N'3', N'genre', N'VARCHAR(1000)', N'The name as releases write it'
UNION ALL
SELECT N'gold.dim_genre', N'4', N'lists', N'VARCHAR(1000)', N'What it lists: Movie, TV Show or Both'
UNION ALL
SELECT N'gold.dim_rating', N'1', N'rating', N'VARCHAR(1000)', N'The rating in full, such as TV-MA'
UNION ALL
SELECT N'gold.dim_rating', N'2', N'name', N'VARCHAR(1000)', N'Its meaning'
UNION ALL
SELECT N'gold.dim_rating', N'3', N'rating_family', N'VARCHAR(1000)', N'The system it belongs to'
UNION ALL
SELECT N'gold.dim_rating', N'4', N'audience', N'VARCHAR(1000)', N'Kids, Older kids, Teens, Adults or Not rated'
UNION ALL
SELECT N'gold.dim_rating', N'5', N'minimum_age', N'INT', N'Age from which the title is suitable, null when the rating states none'
UNION ALL
SELECT N'gold.dim_rating', N'6', N'severity', N'INT', N'Order of the ratings of a family, mildest first'
UNION ALL
SELECT N'gold.dim_date', N'1', N'date_key', N'INT', N'The day as yyyymmdd'
UNION ALL
SELECT N'gold.dim_date', N'2', N'date', N'DATE', N'The day'
UNION ALL
SELECT N'gold.dim_date', N'3', N'year', N'INT', N'Year'
UNION ALL
SELECT N'gold.dim_date', N'4', N'quarter', N'INT', N'Quarter, 1 to 4'
UNION ALL
SELECT N'gold.dim_date', N'5', N'month', N'INT', N'Month, 1 to 12'
UNION ALL
SELECT N'gold.dim_date', N'6', N'month_name', N'VARCHAR(1000)', N'Month in English'
UNION ALL
SELECT N'gold.dim_date', N'7', N'year_month', N'VARCHAR(1000)', N'yyyy-mm'
UNION ALL
SELECT N'gold.dim_date', N'8', N'iso_week', N'INT', N'ISO 8601 week, 1 to 53'
UNION ALL
SELECT N'gold.dim_date', N'9', N'day_of_month', N'INT', N'Day of the month'
UNION ALL
SELECT N'gold.dim_date', N'10', N'day_of_week', N'INT', N'ISO 8601 day, 1 Monday to 7 Sunday'
UNION ALL
SELECT N'gold.dim_date', N'11', N'day_name', N'VARCHAR(1000)', N'Day in English'
UNION ALL
SELECT N'gold.dim_date', N'12', N'is_weekend', N'BIT', N'Saturday or Sunday'
UNION ALL
SELECT N'gold.dim_date', N'13', N'is_release', N'BIT', N'A catalogue release was delivered that day'
UNION ALL
SELECT N'gold.bridge_title_cast', N'1', N'title_sk', N'BIGINT', N'Version of the title, as in dim_title'
UNION ALL
SELECT N'gold.bridge_title_cast', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.bridge_title_cast', N'3', N'person_sk', N'BIGINT', N'The person, see dim_person'
UNION ALL
SELECT N'gold.bridge_title_cast', N'4', N'billing_order', N'INT', N'Billing order, from 1'
UNION ALL
SELECT N'gold.bridge_title_cast', N'5', N'weight', N'FLOAT', N'1 / number of members; sums to 1 for every title_sk'
UNION ALL
SELECT N'gold.bridge_title_cast', N'6', N'is_current', N'BIT', N'Whether it is so in the newest release'
UNION ALL
SELECT N'gold.bridge_title_director', N'1', N'title_sk', N'BIGINT', N'Version of the title, as in dim_title'
UNION ALL
SELECT N'gold.bridge_title_director', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.bridge_title_director', N'3', N'person_sk', N'BIGINT', N'The person, see dim_person'
UNION ALL
SELECT N'gold.bridge_title_director', N'4', N'credit_order', N'INT', N'Order of credit, from 1'
UNION ALL
SELECT N'gold.bridge_title_director', N'5', N'weight', N'FLOAT', N'1 / number of members; sums to 1 for every title_sk'
UNION ALL
SELECT N'gold.bridge_title_director', N'6', N'is_current', N'BIT', N'Whether it is so in the newest release'
UNION ALL
SELECT N'gold.bridge_title_country', N'1', N'title_sk', N'BIGINT', N'Version of the title, as in dim_title'
UNION ALL
SELECT N'gold.bridge_title_country', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.bridge_title_country', N'3', N'country_sk', N'BIGINT', N'The country, see dim_country'
UNION ALL
SELECT N'gold.bridge_title_country', N'4', N'country_order', N'INT', N'Order as delivered, from 1'
UNION ALL
SELECT N'gold.bridge_title_country', N'5', N'weight', N'FLOAT', N'1 / number of members; sums to 1 for every title_sk'
UNION ALL
SELECT N'gold.bridge_title_country', N'6', N'is_current', N'BIT', N'Whether it is so in the newest release'
UNION ALL
SELECT N'gold.bridge_title_genre', N'1', N'title_sk', N'BIGINT', N'Version of the title, as in dim_title'
UNION ALL
SELECT N'gold.bridge_title_genre', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.bridge_title_genre', N'3', N'genre_sk', N'BIGINT', N'The genre, see dim_genre'
UNION ALL
SELECT N'gold.bridge_title_genre', N'4', N'genre_order', N'INT', N'Order as delivered, from 1'
UNION ALL
SELECT N'gold.bridge_title_genre', N'5', N'weight', N'FLOAT', N'1 / number of members; sums to 1 for every title_sk'
UNION ALL
SELECT N'gold.bridge_title_genre', N'6', N'is_current', N'BIT', N'Whether it is so in the newest release'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'1', N'release_date', N'DATE', N'The release that made the change'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'2', N'date_key', N'INT', N'The release date in dim_date'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'3', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'4', N'title_sk', N'BIGINT', N'The version that began, of a removed title the one that ended'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'5', N'natural_key', N'VARCHAR(1000)', N'type|title|year; a few titles of a release share it'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'6', N'change', N'VARCHAR(1000)', N'added, changed or removed'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'7', N'changed_columns', N'VARCHAR(1000)', N'What a changed title changed'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'8', N'is_return', N'BIT', N'An added title that an earlier release had and another lacked'
UNION ALL
SELECT N'gold.fact_catalogue_change', N'9', N'is_baseline', N'BIT', N'The first release known: its titles count as added'
UNION ALL
SELECT N'gold.fact_release_title', N'1', N'release_date', N'DATE', N'The release'
UNION ALL
SELECT N'gold.fact_release_title', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.fact_release_title', N'3', N'type', N'VARCHAR(1000)', N'Movie or TV Show'
UNION ALL
SELECT N'gold.fact_release_title', N'4', N'title', N'VARCHAR(1000)', N'The title as this release writes it'
UNION ALL
SELECT N'gold.fact_release_title', N'5', N'release_year', N'INT', N'Year of first release'
UNION ALL
SELECT N'gold.fact_release_title', N'6', N'date_added', N'DATE', N'Day the title was added to Netflix'
UNION ALL
SELECT N'gold.fact_release_title', N'7', N'rating', N'VARCHAR(1000)', N'Maturity rating, such as TV-MA'
UNION ALL
SELECT N'gold.fact_release_title', N'8', N'rating_family', N'VARCHAR(1000)', N'The system that the rating belongs to'
UNION ALL
SELECT N'gold.fact_release_title', N'9', N'duration_minutes', N'INT', N'Length of a movie'
UNION ALL
SELECT N'gold.fact_release_title', N'10', N'duration_seasons', N'INT', N'Seasons of a show'
UNION ALL
SELECT N'gold.fact_release_listing', N'1', N'release_date', N'DATE', N'The release'
UNION ALL
SELECT N'gold.fact_release_listing', N'2', N'title_key', N'VARCHAR(1000)', N'The title'
UNION ALL
SELECT N'gold.fact_release_listing', N'3', N'list', N'VARCHAR(1000)', N'cast, director, country, genre, or country pair'
UNION ALL
SELECT N'gold.fact_release_listing', N'4', N'member_key', N'VARCHAR(1000)', N'The member in lower case; of a pair its name'
UNION ALL
SELECT N'gold.fact_release_listing', N'5', N'member', N'VARCHAR(1000)', N'Its name in the spelling used most; of a pair: Canada & France'
UNION ALL
SELECT N'gold.fact_release_listing', N'6', N'position', N'INT', N'Which member of the list it is, in alphabetical order: 1 once a list'
UNION ALL
SELECT N'gold.fact_release_listing', N'7', N'members', N'BIGINT', N'How many members the list has'
UNION ALL
SELECT N'gold.kpi_catalogue', N'1', N'delivery_date', N'DATE', N'The release'
UNION ALL
SELECT N'gold.kpi_catalogue', N'2', N'kpi', N'VARCHAR(1000)', N'Name of the figure, such as titles_by_country'
UNION ALL
SELECT N'gold.kpi_catalogue', N'3', N'member', N'VARCHAR(1000)', N'What it is the figure of, such as France; all for the whole release'
UNION ALL
SELECT N'gold.kpi_catalogue', N'4', N'value', N'FLOAT', N'The figure'
UNION ALL
SELECT N'gold.kpi_catalogue', N'5', N'unit', N'VARCHAR(1000)', N'titles, share, years, minutes or seasons'
UNION ALL
SELECT N'gold.kpi_catalogue', N'6', N'rank', N'INT', N'Dense rank of the value within the kpi of the release, largest first'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'1', N'event_hour', N'VARCHAR(1000)', N'Hour in which the viewing began, as 2026-11-20T13 (UTC)'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'2', N'event_date', N'DATE', N'Day of that hour (UTC)'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'3', N'title_key', N'VARCHAR(1000)', N'The title in dim_title; a title that the catalogue lacks stays, under the key it would have'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'4', N'title', N'VARCHAR(1000)', N'The title as players name it'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'5', N'country', N'VARCHAR(1000)', N'ISO 3166-1 alpha-2 code of the country'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'6', N'device', N'VARCHAR(1000)', N'What it was watched on, such as tv, phone'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'7', N'events', N'BIGINT', N'Stretches of viewing that began in the hour'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'8', N'viewers', N'BIGINT', N'Different profiles among them'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'9', N'seconds_viewed', N'BIGINT', N'Seconds viewed in them'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'10', N'hours_viewed', N'FLOAT', N'The same in hours'
UNION ALL
SELECT N'gold.fact_viewing_hourly', N'11', N'late_events', N'BIGINT', N'Those that came in a later hour';
GO

-- view: information.metrics | 07e163172b3b
CREATE OR ALTER VIEW information.metrics AS /* made 07e163172b3b */
SELECT N'titles' AS metric, N'Titles in the catalogue' AS meaning, N'titles' AS unit, N'gold.fact_release_title' AS fact, N'release, type, rating, rating_family, release_year, month_added, title' AS dimensions, N'number of rows' AS expression, N'' AS of_rows, N'last' AS over_time
UNION ALL
SELECT N'net_growth', N'Titles that a release has more than the one before', N'titles', N'gold.fact_release_title', N'release, type', N'(number of rows, more than in the period before)', N'', N'last'
UNION ALL
SELECT N'net_growth_share', N'Net growth, as a share of the titles of the release before', N'share', N'gold.fact_release_title', N'release, type', N'(number of rows, more than in the period before) / (number of rows, in the period before)', N'', N'last'
UNION ALL
SELECT N'lag_to_addition_mean', N'Years from a title''s release anywhere to its addition to Netflix, mean', N'years', N'gold.fact_release_title', N'release, type, rating, release_year, month_added', N'average of `lag_years`', N'date_added IS NOT NULL', N'last'
UNION ALL
SELECT N'lag_to_addition_median', N'Years from a title''s release anywhere to its addition to Netflix, median', N'years', N'gold.fact_release_title', N'release, type, rating, release_year, month_added', N'median of `lag_years`', N'date_added IS NOT NULL', N'last'
UNION ALL
SELECT N'movie_minutes_mean', N'Length of movies, mean', N'minutes', N'gold.fact_release_title', N'release, rating, release_year, month_added, title', N'average of `duration_minutes`', N'duration_minutes IS NOT NULL', N'last'
UNION ALL
SELECT N'movie_minutes_median', N'Length of movies, median', N'minutes', N'gold.fact_release_title', N'release, rating, release_year, month_added, title', N'median of `duration_minutes`', N'duration_minutes IS NOT NULL', N'last'
UNION ALL
SELECT N'movie_minutes_longest', N'Length of movies, longest', N'minutes', N'gold.fact_release_title', N'release, rating, release_year, month_added, title', N'maximum of `duration_minutes`', N'duration_minutes IS NOT NULL', N'last'
UNION ALL
SELECT N'shows', N'Shows that state their seasons', N'titles', N'gold.fact_release_title', N'release, seasons, rating, release_year', N'number of rows', N'duration_seasons IS NOT NULL', N'last'
UNION ALL
SELECT N'show_seasons_mean', N'Seasons of a show, mean', N'seasons', N'gold.fact_release_title', N'release, rating, release_year, title', N'average of `duration_seasons`', N'duration_seasons IS NOT NULL', N'last'
UNION ALL
SELECT N'country_titles', N'Titles that a country produced, alone or with others', N'titles', N'gold.fact_release_listing', N'release, member', N'number of rows', N'list = ''country''', N'last'
UNION ALL
SELECT N'genre_titles', N'Titles listed in a genre', N'titles', N'gold.fact_release_listing', N'release, member', N'number of rows', N'list = ''genre''', N'last'
UNION ALL
SELECT N'cast_titles', N'Titles that someone is in the cast of', N'titles', N'gold.fact_release_listing', N'release, member', N'number of rows', N'list = ''cast''', N'last'
UNION ALL
SELECT N'director_titles', N'Titles that someone directed', N'titles', N'gold.fact_release_listing', N'release, member', N'number of rows', N'list = ''director''', N'last'
UNION ALL
SELECT N'pair_titles', N'Titles that two countries produced together', N'titles', N'gold.fact_release_listing', N'release, member', N'number of rows', N'list = ''country pair''', N'last'
UNION ALL
SELECT N'co_productions', N'Titles that more than one country produced', N'titles', N'gold.fact_release_listing', N'release', N'number of rows with `members > 1`', N'list = ''country'' AND position = 1', N'last'
UNION ALL
SELECT N'co_production_share', N'Share of the titles that state a country which more than one produced', N'share', N'gold.fact_release_listing', N'release', N'share of rows with `members > 1`', N'list = ''country'' AND position = 1', N'last'
UNION ALL
SELECT N'changed_titles', N'Titles that a release added, changed or removed', N'titles', N'gold.fact_catalogue_change', N'release, change', N'number of rows', N'NOT is_baseline', N'any'
UNION ALL
SELECT N'hours', N'Hours viewed of the titles in the Top 10', N'hours', N'gold.fact_top10_global_weekly', N'week, category, kind, language, title', N'sum of `weekly_hours_viewed`', N'', N'any'
UNION ALL
SELECT N'views', N'Views (hours by runtime) of the titles in the Top 10', N'views', N'gold.fact_top10_global_weekly', N'week, category, kind, language, title', N'sum of `weekly_views`', N'', N'any'
UNION ALL
SELECT N'views_per_title', N'Views of a place of the Top 10, mean', N'views', N'gold.fact_top10_global_weekly', N'week, category, kind, language', N'average of `weekly_views`', N'', N'any'
UNION ALL
SELECT N'weeks_in_top10', N'Weeks that a place of the Top 10 has been in it, mean', N'weeks', N'gold.fact_top10_global_weekly', N'week, category, kind, language', N'average of `cumulative_weeks_in_top_10`', N'', N'any'
UNION ALL
SELECT N'debuts', N'Places of the Top 10 in their first week', N'titles', N'gold.fact_top10_global_weekly', N'week, category, kind, language', N'number of rows with `cumulative_weeks_in_top_10 = 1`', N'', N'any'
UNION ALL
SELECT N'retention', N'Share of last week''s titles (seasons apart) that stayed in the chart', N'share', N'gold.fact_top10_global_weekly', N'week, category, kind, language', N'number of different `listing` with `COALESCE(days_away, 0) = 7` / (number of different `listing`, in the period before)', N'', N'last'
UNION ALL
SELECT N'evergreen_share', N'Share of the places that have been in the Top 10 for 10 weeks or more', N'share', N'gold.fact_top10_global_weekly', N'week, category, kind, language', N'share of rows with `cumulative_weeks_in_top_10 >= 10`', N'', N'any'
UNION ALL
SELECT N'concentration', N'Herfindahl index of the hours of a chart: 0.1 evenly spread, 1 all on one', N'index', N'gold.fact_top10_global_weekly', N'week, category', N'sum of `hours_share * hours_share`', N'', N'last'
UNION ALL
SELECT N'leader_share', N'Share of the hours of a chart that its largest title has', N'share', N'gold.fact_top10_global_weekly', N'week, category, title', N'maximum of `hours_share`', N'', N'last'
UNION ALL
SELECT N'non_english_share', N'Share of the hours that went to titles which are not in English', N'share', N'gold.fact_top10_global_weekly', N'week, kind', N'sum of `CASE WHEN language = ''Non-English'' THEN weekly_hours_viewed ELSE 0 END` / sum of `weekly_hours_viewed`', N'language IS NOT NULL', N'any'
UNION ALL
SELECT N'country_reach', N'Countries whose Top 10 has the title', N'countries', N'gold.fact_top10_country_weekly', N'week, title, kind, category', N'number of different `country_iso2`', N'kind IS NOT NULL', N'any'
UNION ALL
SELECT N'country_reach_mean', N'Countries whose Top 10 has a title, mean over titles', N'countries', N'gold.fact_top10_country_weekly', N'week, kind, category', N'number of different `chart_title_key || CHR(31) || country_iso2` / number of different `chart_title_key`', N'kind IS NOT NULL', N'last'
UNION ALL
SELECT N'engagement_hours', N'Hours viewed in a half-year, of the titles that state them', N'hours', N'gold.fact_engagement', N'period, kind, title', N'sum of `hours_viewed`', N'hours_viewed IS NOT NULL', N'any'
UNION ALL
SELECT N'engagement_views', N'Views in a half-year, of the titles that state them', N'views', N'gold.fact_engagement', N'period, kind, title', N'sum of `views`', N'views IS NOT NULL', N'any'
UNION ALL
SELECT N'engagement_titles', N'Titles in the report of a half-year', N'titles', N'gold.fact_engagement', N'period, kind', N'number of rows', N'', N'last'
UNION ALL
SELECT N'watched_hours', N'Hours viewed, as players report them', N'hours', N'gold.fact_viewing_hourly', N'day, hour, title, country, device', N'sum of `hours_viewed`', N'', N'any'
UNION ALL
SELECT N'watching_profiles', N'Profiles that watched: each counts once in every hour, title, country and kind of device', N'profiles', N'gold.fact_viewing_hourly', N'day, hour, title, country, device', N'sum of `viewers`', N'', N'any'
UNION ALL
SELECT N'late_event_share', N'Share of the events that came in a later hour than they began in', N'share', N'gold.fact_viewing_hourly', N'day, hour, title, country, device', N'sum of `late_events` / sum of `events`', N'', N'any';
GO
