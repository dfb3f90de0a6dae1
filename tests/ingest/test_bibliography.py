"""Exports as Zotero, EndNote, Mendeley, Ovid, PubMed, Scopus, Google Scholar and biblatex write them: their ways, our words."""

import json

import pytest

from ingest.loaders import bibliography, tables
from ingest.loaders.work import Work

ZOTERO_BIB = r"""
@article{lee_case_2021,
  title = {A curriculum in {One} school: a {\textquotedblleft}case{\textquotedblright}},
  url = {https://example.org/1},
  doi = {10.1234/zotero.1},
  abstract = {5\% of a school \& more.},
  urldate = {2022-01-02},
  journal = {Journal of Tests},
  author = {Lee, Ada B. and Mu{\~n}oz, Jos{\'e} and {Group for Health and Law}},
  month = mar,
  year = {2021},
  file = {Full Text:files/12/x.pdf:application/pdf},
  pages = {101--110},
}

@misc{page_nodate, title = {A page}, urldate = {2023-05-06}, author = {{Group for Health and Law}}}
"""
ENDNOTE_BIB = """@article{
   author = {Lee, A. and Chan, B.},
   title = {An entry without a key},
   journal = {Journal of Tests},
   abstract = {It has an abstract.},
   DOI = {10.1234/endnote.1},
   year = {2016},
   type = {Journal Article}
}

@book{
   author = {Lee, A.},
   title = {Another one},
   year = {2017}
}
"""
MENDELEY_BIB = r"""@article{Lee2013,
abstract = {{\textless}p{\textgreater}It has an abstract.{\textless}/p{\textgreater}},
author = {Lee, Ada and Smith, Jr., John},
doi = {10.1234/mendeley{\_}1},
mendeley-groups = {a},
title = {{A title in double braces}},
year = {2013}
}
"""
BIBLATEX = """@report{r1, title = {A report}, subtitle = {On things}, author = {von Neumann, Ann and others},
date = {2020-05-01}, urldate = {2024-01-01}, institution = {An Institute}}
"""
ZOTERO_RIS = """TY  - JOUR
TI  - A curriculum in one school
AU  - Lee, Ada B.
AU  - King, Martin, Jr.
T2  - Journal of Tests
AB  - It has an abstract.
DA  - 2021/03/15/
PY  - 2021
DO  - 10.1234/zotero.2
J2  - J Test
UR  - https://pubmed.ncbi.nlm.nih.gov/12345678/
Y2  - 2022/01/02/10:11:12
ER  -\x20
"""
ENDNOTE_RIS = """TY  - JOUR
AB  - It has an abstract.
AU  - van der Berg, Jan
DA  - Mar 3
DO  - 10.1234/endnote.2
J2  - J Test
JF  - Journal of Tests
KW  - one
two
N1  - 1365-2923
Lee, Ada
Journal Article
PY  - 2020
T2  - Journal of Tests
TI  - A title: with a colon
ID  - 77
ER  -\x20


"""
MENDELEY_RIS = (
    "\ufeffTY  - JOUR\r\nT1  - A title\r\nA1  - Okafor, Ngozi\r\nY1  - 2018/05//\r\nN2  - It has an abstract.\r\n"
    "JF  - Journal of Tests\r\nDO  - https://doi.org/10.1234/mendeley.2\r\nER  - \r\n"
)
OVID_RIS = """TY  - JOUR
T1  - A title.
A1  - Brown, T
Y1  - 2017//
JF  - Med Tests
AN  - 25999999
DB  - MEDLINE
ER  -"""
PUBMED_CSV = (
    "PMID,Title,Authors,Citation,First Author,Journal/Book,Publication Year,Create Date,PMCID,NIHMS ID,DOI\n"
    '12345,A title.,"Lee A, van der Berg J.",J Tests. 2009,Lee A,J Tests,2009,2009/01/01,,,10.1234/pubmed.1\n'
)
ZOTERO_CSV = (
    '"Key","Item Type","Publication Year","Author","Title","Publication Title","DOI","Url","Abstract Note","Date"\n'
    '"A","journalArticle","2011","Lee, Ada; Chan, Bo","A title","J Tests","10.1234/zotero.3","","It has an abstract.",""\n'
)
SCOPUS_CSV = (
    '\ufeff"Authors","Title","Year","Source title","DOI","Abstract"\n'
    '"Lee A.; Chan B.","A title","2010","J Tests","10.1234/scopus.1","It has an abstract."\n'
)
CSL = json.dumps(
    [
        {
            "title": "A title",
            "container-title": "J Tests",
            "author": [
                {"family": "Beethoven", "given": "Ludwig", "non-dropping-particle": "van"},
                {"family": "King", "given": "Martin", "suffix": "Jr."},
                {"literal": "A Group"},
            ],
            "issued": {"date-parts": [["2012", 3]]},
            "DOI": "10.1234/csl.1",
        }
    ]
)
LOAD = {
    "bib": bibliography.load_bibtex,
    "ris": bibliography.load_ris,
    "csv": tables.load_csv,
    "json": tables.load_json,
}


def works(kind: str, text: str) -> tuple[Work, ...]:
    loaded = LOAD[kind](text.encode())
    assert loaded.unread == ()
    return loaded.works


@pytest.mark.parametrize(
    ("kind", "text", "title", "authors", "year", "venue", "doi"),
    [
        (
            "bib", ZOTERO_BIB, "A curriculum in One school: a “case”", ("Ada B. Lee", "José Muñoz", "Group for Health and Law"),
            2021, "Journal of Tests", "10.1234/zotero.1",
        ),
        ("bib", ENDNOTE_BIB, "An entry without a key", ("A. Lee", "B. Chan"), 2016, "Journal of Tests", "10.1234/endnote.1"),
        ("bib", MENDELEY_BIB, "A title in double braces", ("Ada Lee", "John Smith, Jr."), 2013, "", "10.1234/mendeley_1"),
        ("bib", BIBLATEX, "A report: On things", ("Ann von Neumann",), 2020, "", ""),
        (
            "ris", ZOTERO_RIS, "A curriculum in one school", ("Ada B. Lee", "Martin King, Jr."),
            2021, "Journal of Tests", "10.1234/zotero.2",
        ),
        ("ris", ENDNOTE_RIS, "A title: with a colon", ("Jan van der Berg",), 2020, "Journal of Tests", "10.1234/endnote.2"),
        ("ris", MENDELEY_RIS, "A title", ("Ngozi Okafor",), 2018, "Journal of Tests", "10.1234/mendeley.2"),
        ("ris", OVID_RIS, "A title.", ("T Brown",), 2017, "Med Tests", ""),
        ("csv", PUBMED_CSV, "A title.", ("Lee A", "van der Berg J"), 2009, "J Tests", "10.1234/pubmed.1"),
        ("csv", ZOTERO_CSV, "A title", ("Ada Lee", "Bo Chan"), 2011, "J Tests", "10.1234/zotero.3"),
        ("csv", SCOPUS_CSV, "A title", ("Lee A.", "Chan B."), 2010, "J Tests", "10.1234/scopus.1"),
        ("json", CSL, "A title", ("Ludwig van Beethoven", "Martin King, Jr.", "A Group"), 2012, "J Tests", "10.1234/csl.1"),
    ],
)  # fmt: skip
def test_an_export_keeps_who_wrote_what_when_and_where(
    kind: str, text: str, title: str, authors: tuple[str, ...], year: int, venue: str, doi: str
) -> None:
    work = works(kind, text)[0]
    assert (work.title, work.authors, work.year, work.venue, work.doi) == (title, authors, year, venue, doi)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("bib", ENDNOTE_BIB), ("bib", MENDELEY_BIB), ("ris", ZOTERO_RIS), ("ris", ENDNOTE_RIS), ("ris", MENDELEY_RIS),
        ("csv", ZOTERO_CSV), ("csv", SCOPUS_CSV),
    ],
)  # fmt: skip
def test_an_export_keeps_its_abstract(kind: str, text: str) -> None:
    assert [block.text for block in works(kind, text)[0].blocks] == ["It has an abstract."]


def test_the_day_on_which_a_page_was_looked_at_is_not_its_year() -> None:
    page = works("bib", ZOTERO_BIB)[1]
    assert (page.year, page.authors) == (None, ("Group for Health and Law",))


def test_entries_without_keys_are_all_kept() -> None:
    assert [work.title for work in works("bib", ENDNOTE_BIB)] == ["An entry without a key", "Another one"]


def test_a_number_in_pubmed_is_found_in_its_field_or_in_the_address() -> None:
    assert [works("ris", text)[0].pmid for text in (ZOTERO_RIS, OVID_RIS)] == ["12345678", "25999999"]
    assert works("csv", PUBMED_CSV)[0].pmid == "12345"
