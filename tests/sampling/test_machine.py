"""The provenance names system, processor and commit."""

from __future__ import annotations

from bayes_mdd.sampling.machine import describe_machine, find_commit


def test_the_machine_is_described_without_its_name():
    found = describe_machine()
    assert found["cores"] >= 1 and found["system"] and found["processor"]


def test_a_commit_is_read_from_branches_packed_references_and_worktrees(tmp_path):
    git, sha, other = tmp_path / ".git", "a" * 40, "b" * 40
    git.mkdir()
    (tmp_path / "pyproject.toml").touch()
    assert find_commit(tmp_path) is None
    (git / "HEAD").write_text(f"{other}\n")
    assert find_commit(tmp_path) == other  # a detached head
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(f"# pack-refs\n{sha} refs/heads/main\n")
    assert find_commit(tmp_path) == sha
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "refs" / "heads" / "main").write_text(f"{other}\n")
    assert find_commit(tmp_path) == other
    own = git / "worktrees" / "w"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/main\n")
    (own / "commondir").write_text("../..\n")
    tree = tmp_path / "w"
    tree.mkdir()
    (tree / "pyproject.toml").touch()
    (tree / ".git").write_text(f"gitdir: {own}\n")
    assert find_commit(tree) == other
