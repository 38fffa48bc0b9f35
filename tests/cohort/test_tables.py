"""Tables are read as spreadsheets and R write them; damaged files are reported."""

import pytest

from bayes_mdd.cohort import read_participants, read_table
from bayes_mdd.errors import DataContractError


def test_bom_crlf_trailing_tabs_and_padding_are_accepted(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_bytes(
        b"\xef\xbb\xbfparticipant_id\tarm\tage\t\t\r\n"
        b"001\tNone\t 34 \t\t\r\n"
        b"\r\n"
        b"002\tNA\tn/a\t\t\r\n"
        b"003\tn/a\t5e1"
    )
    participants = read_participants(path)
    assert list(participants.index) == ["001", "002", "003"]
    assert list(participants.columns) == ["arm", "age"]
    assert list(participants["arm"]) == ["None", "NA", "n/a"]
    assert participants["age"].tolist()[::2] == [34.0, 50.0]
    assert participants["age"].isna().tolist() == [False, True, False]


def test_csv_is_comma_separated(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"x, y"\n')
    assert read_table(path).iloc[0].tolist() == ["1", "x, y"]


def test_quotes_written_by_r_are_removed(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text('"participant_id"\t"arm"\n"01"\t"SSRI"\n')
    assert read_table(path).iloc[0].to_dict() == {"participant_id": "01", "arm": "SSRI"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n\n", "the file is empty"),
        (b"a\tb\n1\t2\n3", r"line 3 has 1 cell\(s\), but the header has 2: the file is truncated"),
        (b"a\tb\n1\t2\t3\n", r"line 2 has 3 cell\(s\), but the header has 2"),
        (b"a\ta\n1\t2\n", "column 'a' occurs more than once"),
        (b"a\t\tb\n1\t2\t3\n", "column 2 has no name"),
        (b"a\n\xff\xfe\n", "is not UTF-8 text"),
        (b"a\n1\x00\n", "binary zeros"),
        (b'a\tb\n"1\t2\n3\t4\n', "quoted cell spans several lines"),
    ],
)
def test_damaged_tables_are_reported(tmp_path, content, message):
    path = tmp_path / "t.tsv"
    path.write_bytes(content)
    with pytest.raises(DataContractError, match=message) as error:
        read_table(path)
    assert "t.tsv" in str(error.value)


def test_missing_files_folders_and_annexed_files_are_distinguished(tmp_path):
    with pytest.raises(DataContractError, match=r"cannot be read .*; check its name"):
        read_table(tmp_path / "no.tsv")
    with pytest.raises(DataContractError, match="cannot be read"):
        read_table(tmp_path)
    link = tmp_path / "participants.tsv"
    link.symlink_to(tmp_path / ".git" / "annex" / "gone")
    with pytest.raises(DataContractError, match="datalad get"):
        read_table(link)
