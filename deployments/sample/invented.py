"""What the sample site invents: the users of its API and the articles of its blog."""

from __future__ import annotations

from typing import Any, NamedTuple


class Article(NamedTuple):
    """An article of the blog."""

    title: str
    text: str


def _user(number: int, name: str, address: tuple[str, str, float, float], company: str) -> dict[str, Any]:
    """Return a user in the nested shape that public example APIs have made familiar."""
    username = name.lower().replace(" ", ".")
    street, city, latitude, longitude = address
    return {
        "id": number,
        "name": name,
        "username": username,
        "email": f"{username}@example.com",
        "address": {
            "street": street,
            "city": city,
            "zipcode": f"{10_000 + 317 * number}",
            "geo": {"lat": f"{latitude:.4f}", "lng": f"{longitude:.4f}"},
        },
        "company": {"name": company},
    }


USERS = {
    user["id"]: user
    for user in (
        _user(1, "Ada Quill", ("4 Sluice Lane", "Westmere", 51.4820, -2.1147), "Quill and Daughters"),
        _user(2, "Bram Oster", ("17 Ferry Road", "Holm", 55.9210, 10.7734), "Oster Charts"),
        _user(3, "Cleo Marsh", ("230 Heron Street", "Low Fen", 52.6043, 0.3891), "Fenland Surveys"),
        _user(4, "Dario Fell", ("9 Tower Steps", "Porto Alto", 38.9132, -8.8610), "Fell Stoneworks"),
        _user(5, "Edda Wyn", ("61 Saltern Row", "Aberlyn", 52.8319, -4.1022), "Wyn Tidal"),
        _user(6, "Femi Rook", ("3 Orchard Court", "Kingsacre", 6.6018, 3.3515), "Rook Orchards"),
        _user(7, "Greta Lund", ("88 Harbour Quay", "Sandvik", 60.6167, 16.7667), "Lund Shipping"),
        _user(8, "Hiro Tan", ("12 Lantern Hill", "Minato", 35.6581, 139.7514), "Tan Instruments"),
        _user(9, "Iris Calder", ("45 Weir Street", "Millbank", 55.8652, -3.6001), "Calder Mills"),
        _user(10, "Jonas Pike", ("72 Long Field", "Easterly", 53.2290, 1.0154), "Pike Brothers"),
    )
}

ARTICLES = (
    Article("Count the rows at both ends", "What went in is what came out, or there is a list of what did not."),
    Article("A retry is not a plan", "Trying again helps where the cause may pass. Elsewhere it only takes longer."),
    Article("Dates & time zones", "Keep the instant in UTC, and the local hour beside it where people plan by it."),
    Article("Name the unit", "A column called delay starts an argument; a column called delay_minutes ends it."),
    Article("What a missing value means", "Not measured, not yet known, not applicable: three facts, one blank cell."),
    Article("Columns before rows", "Reading three columns of thirty is the cheapest speed-up there is."),
    Article("Waiting well", "A program that waits for one server can as well wait for twenty."),
    Article("The file that was half there", "Write beside the place, then rename. Readers never see the middle."),
    Article("Keys that are nearly unique", "Nearly is the difference between a join and a flood."),
    Article("Café data, kitchen data", "Served or still being cooked: say which of the two a folder holds."),
    Article("A baseline first", "If the dummy is hard to beat, the problem is not the model."),
    Article("Split by time when time matters", "A model that has seen tomorrow is wonderful until tomorrow."),
    Article(
        "How many threads are you", "Four processes of four threads on four cores are sixteen guests and four chairs."
    ),
    Article("Reading someone else's CSV", "The comma is the easy part."),
    Article("The third decimal", "Two models that differ there do not differ. Look at the interval."),
    Article("Deleting is a feature", "Data that can be made again can be thrown away without a meeting."),
    Article("Be a polite guest", "Ask no faster than the host can answer, and leave when it says so."),
    Article("Notes on a quiet log", "A line nobody acts on hides the one that somebody should."),
)
