"""Reference data that no delivery brings: the meaning of ratings, and the names of countries in ISO 3166-1."""

from __future__ import annotations

from functools import lru_cache

RATINGS: tuple[tuple[str, str, str, str, int | None], ...] = (
    # rating, name, family, audience, minimum age
    ("TV-Y", "All children", "TV Parental Guidelines", "Kids", 0),
    ("TV-Y7", "Directed to older children", "TV Parental Guidelines", "Older kids", 7),
    ("TV-Y7-FV", "Directed to older children, fantasy violence", "TV Parental Guidelines", "Older kids", 7),
    ("TV-G", "General audience", "TV Parental Guidelines", "Kids", 0),
    ("TV-PG", "Parental guidance suggested", "TV Parental Guidelines", "Older kids", 7),
    ("TV-14", "Parents strongly cautioned", "TV Parental Guidelines", "Teens", 14),
    ("TV-MA", "Mature audience only", "TV Parental Guidelines", "Adults", 17),
    ("G", "General audiences", "MPA film rating", "Kids", 0),
    ("PG", "Parental guidance suggested", "MPA film rating", "Older kids", 7),
    ("PG-13", "Parents strongly cautioned", "MPA film rating", "Teens", 13),
    ("R", "Restricted", "MPA film rating", "Adults", 17),
    ("NC-17", "Adults only", "MPA film rating", "Adults", 18),
    ("NR", "Not rated", "Unrated", "Not rated", None),
    ("UR", "Unrated version", "Unrated", "Not rated", None),
)

_EVERYDAY_NAMES = {
    # name -> alpha-2 of a country that ISO 3166-1 calls otherwise
    "bolivia": "BO",
    "brunei": "BN",
    "cape verde": "CV",
    "czech republic": "CZ",
    "hong kong": "HK",
    "iran": "IR",
    "ivory coast": "CI",
    "kosovo": "XK",
    "laos": "LA",
    "macau": "MO",
    "macedonia": "MK",
    "moldova": "MD",
    "palestine": "PS",
    "russia": "RU",
    "south korea": "KR",
    "north korea": "KP",
    "syria": "SY",
    "taiwan": "TW",
    "tanzania": "TZ",
    "turkey": "TR",
    "vatican city": "VA",
    "venezuela": "VE",
    "vietnam": "VN",
}
_FURTHER_NAMES = {"uk": "GB", "usa": "US", "holland": "NL", "burma": "MM", "swaziland": "SZ"}
FORMER_COUNTRIES = {
    # name -> (ISO 3166-3 alpha-2 as it was, successor)
    "soviet union": ("SU", "RU"),
    "east germany": ("DD", "DE"),
    "west germany": ("DE", "DE"),
    "czechoslovakia": ("CS", "CZ"),
    "yugoslavia": ("YU", "RS"),
    "serbia and montenegro": ("CS", "RS"),
}


@lru_cache(maxsize=1)
def countries() -> dict[str, tuple[str, str | None, bool]]:
    """Country name in lower case -> (alpha-2, alpha-3, still exists)."""
    import pycountry

    known: dict[str, tuple[str, str | None, bool]] = {}
    by_code: dict[str, str] = {}
    for country in pycountry.countries:
        by_code[country.alpha_2] = country.alpha_3
        for attribute in ("name", "common_name", "official_name"):
            name = getattr(country, attribute, None)
            if name:
                known[name.lower()] = (country.alpha_2, country.alpha_3, True)
    for name, code in (*_FURTHER_NAMES.items(), *_EVERYDAY_NAMES.items()):
        known[name] = (code, by_code.get(code, "XKX" if code == "XK" else None), True)
    for name, (code, _successor) in FORMER_COUNTRIES.items():
        known[name] = (code, by_code.get(code) if code in by_code else None, False)
    return known


@lru_cache(maxsize=1)
def country_keys() -> dict[str, str]:
    """Every name of a country in lower case -> the one by which it is compared: its everyday name.

    A country that is renamed stays the same country. Former countries are countries of their own.
    """
    import pycountry

    every_day = {code: name for name, code in _EVERYDAY_NAMES.items()}
    for country in pycountry.countries:
        every_day.setdefault(country.alpha_2, getattr(country, "common_name", country.name).lower())
    return {name: every_day[code] if exists else name for name, (code, _, exists) in countries().items()}


@lru_cache(maxsize=1)
def country_codes() -> dict[str, str]:
    """ISO 3166-1 alpha-2 code -> the key of the country that has it today."""
    keys = country_keys()
    return {code: keys[name] for name, (code, _, exists) in countries().items() if exists}
