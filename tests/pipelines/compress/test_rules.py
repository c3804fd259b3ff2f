"""Presets and rules: codec and target in a word, or for kinds of input in one small file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import odd_inputs
import pytest
from in_process import run_here

from glassplate.codecs import Target
from glassplate.codecs.errors import ConfigError, GlassplateError
from glassplate.flows.options.values import config_of, values_of
from glassplate.pipelines import open_archive
from glassplate.pipelines.compress.config import CompressConfig
from glassplate.pipelines.compress.rules import PRESETS, Rule, first_match, read_rules
from glassplate.pipelines.compress.run import plan_run

RULES = """
[[rule]]
match = "*.{jpg,jpeg}"
codec = "jxl-jpeg"

[[rule]]
match = ["scans/**", "*.tif"]
codec = "jxl"
quality = 100

[[rule]]
match = "drafts/"
target_ssimulacra2 = 40
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return file


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "scans").mkdir(parents=True)
    (folder / "drafts").mkdir()
    for name in ("a.JPG", "b.tif", "scans/c.png", "drafts/d.png", "e.png"):
        left = 8 * ord(name[-5])
        odd_inputs.photo(192, 160, left=left % 200).save(folder / name, quality=92)
    return folder


def config(folder: Path, **more: Any) -> CompressConfig:
    fields = {"source": str(folder), "archive": str(folder.parent / "archive"), "codec": "jxl"}
    fields |= {"workers": 1, "device": "cpu", "target": {"quality": 80}}
    return CompressConfig.model_validate(fields | more)


def stored(folder: Path) -> dict[str, tuple[str, str, bool]]:
    """Name -> codec, target, whether lossless."""
    table = open_archive(str(folder.parent / "archive")).where()
    return {
        row["name"]: (row["codec"], row["target"], row["psnr"] == float("inf"))
        for row in table.to_pylist()
    }


def test_one_run_stores_each_kind_as_its_rule_says(mixed: Path, rules: Path) -> None:
    run_here(config(mixed, rules=str(rules)))
    assert stored(mixed) == {
        "a.JPG": ("jxl-jpeg", "quality=80", True),
        "b.tif": ("jxl", "quality=100", True),
        "scans/c.png": ("jxl", "quality=100", True),
        "drafts/d.png": ("jxl", "ssimulacra2=40", False),
        "e.png": ("jxl", "quality=80", False),
    }
    data, _ = open_archive(str(mixed.parent / "archive")).original("a.JPG")
    assert data == (mixed / "a.JPG").read_bytes()


def test_later_runs_know_the_rules(mixed: Path, rules: Path) -> None:
    run_here(config(mixed, rules=str(rules)))
    rules.unlink()
    options = open_archive(str(mixed.parent / "archive")).manifest.run.options
    again = CompressConfig.model_validate(options | {"reencode": True})
    assert [rule.match for rule in again.rules][:2] == [("*.{jpg,jpeg}",), ("scans/**", "*.tif")]
    plan = plan_run(again)
    assert (plan.unchanged, plan.new_inputs, plan.otherwise) == (5, 0, ())
    without = plan_run(config(mixed, reencode=True))
    assert sorted(ref.name for shard in without.shards for ref in shard.refs) == [
        "a.JPG",
        "b.tif",
        "drafts/d.png",
        "scans/c.png",
    ]
    assert config(mixed).encode_fingerprint() != again.encode_fingerprint()


def test_the_first_match_holds_and_case_does_not_matter() -> None:
    rules = [
        Rule.model_validate({"match": "*.tif", "preset": "lossless"}),
        Rule.model_validate({"match": "*.{tif,PNG}", "codec": "avif", "quality": 50}),
    ]
    found = [first_match(rules, name) for name in ("x/a.TIF", "a.png", "a.tiff", "png")]
    assert found == [0, 1, None, None]
    assert rules[0].fields["codec"] == "auto"
    assert rules[0].fields["target"] == Target(quality=100)


def test_what_a_rule_does_not_say_the_run_says(mixed: Path) -> None:
    said = [
        {"match": "*.png", "target_psnr": 40},
        {"match": "*.tif", "codec": "avif"},
    ]
    options = {"effort": 3}
    first, second = config(mixed, codec_options=options, rules=said).ways[1:]
    assert (first.codec, first.codec_options, first.target) == ("jxl", options, Target(psnr=40))
    assert (second.codec, second.codec_options, second.target) == ("avif", {}, Target(quality=80))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("match = 1", "has match beside"),
        ("", "has none"),
        ("[[rule]", "is not TOML"),
        ('[[rule]]\nmatch = "*.tif"', r"rule 1 \(\*.tif\): it says neither"),
        ('[[rule]]\ncodec = "jxl"', "rule 1: match: Field required"),
        (
            '[[rule]]\nmatch = "a"\ncodec = "jxl"\n[[rule]]\nmatch = "b"\nqualty = 3',
            "rule 2.*qualty",
        ),
        ('[[rule]]\nmatch = "a"\nquality = 101', "rule 1.*less than or equal to 100"),
        ('[[rule]]\nmatch = "a"\nquality = 1\nmax_bpp = 1', "rule 1.*choose one of"),
        ('[[rule]]\nmatch = "/"\nquality = 1', "rule 1.*is no pattern"),
        ('[[rule]]\nmatch = "a"\npreset = "small"\ncodec = "jxl"', "rule 1.*says codec auto"),
        ('[[rule]]\nmatch = "a"\nquality = 1\nweights = "w"', "rule 1.*go with a codec"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_the_rule_and_the_fix(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        read_rules(str(file))
    assert str(file) in str(raised.value)
    with pytest.raises(ConfigError, match=said) as refused:
        config_of(CompressConfig, source="in", archive="out", rules=str(file))
    assert refused.value.subject == "--rules"


def test_a_file_that_is_not_there_and_a_codec_that_is_not_known(mixed: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be read"):
        config_of(CompressConfig, source="in", archive="out", rules="nowhere.toml")
    with pytest.raises(GlassplateError, match=r"--rules, rule 1 \(\*.tif\): no codec named 'gif'"):
        plan_run(config(mixed, rules=[{"match": "*.tif", "codec": "gif"}]))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_codec_and_target(preset: str) -> None:
    made = config_of(CompressConfig, source="in", archive="out", preset=preset)
    assert made.codec == PRESETS[preset]["codec"]  # type: ignore[index]
    assert config_of(CompressConfig, **values_of(made)) == made
    assert CompressConfig.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize("more", [{"codec": "jxl"}, {"quality": 4}])
def test_a_preset_and_something_else_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="preset small says"):
        config_of(CompressConfig, source="in", archive="out", preset="small", **more)


def test_rules_go_through_a_flow(rules: Path) -> None:
    made = config_of(CompressConfig, source="in", archive="out", rules=str(rules))
    assert len(made.rules) == 3
    assert config_of(CompressConfig, **values_of(made)) == made
