"""The generated part of docs/datasets.md; ``python -m datasets.page docs/datasets.md`` writes it from registry.toml.

A test compares the page with this module's output, so that the two stay in step.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets._layouts import NUMBERS, Layout, SourceFile
from datasets.registry import DatasetInfo, registry

BEGIN, END = "<!-- made from registry.toml by datasets/page.py: begin -->", "<!-- end -->"


def published() -> str:
    """Return the Markdown about all published sets: a table, then a section for each."""
    infos = [info for info in registry().values() if info.published]
    rows = [
        "| name | rows | positives | layouts | the label is 1 when | licence |",
        "|---|---|---|---|---|---|",
        *(
            f"| [`{info.name}`](#{info.name}) | {info.rows:,} | {info.positive_rate:.1%} | {', '.join(info.layouts)} | "
            f"{info.label_meaning.removeprefix('1 = ').split(',')[0]} | {info.licence} |"
            for info in infos
        ),
    ]
    return "\n".join(rows) + "\n\n" + "\n".join(_section(info) for info in infos)


def _section(info: DatasetInfo) -> str:
    lines = [f"### {info.name}", "", f"**{info.title}.** {_sentence(info.task)} {_sentence(info.notes)}".strip(), ""]
    lines += [f"* Label: {info.label_meaning}. {info.rows:,} rows, {info.positive_rate:.1%} positive."]
    lines += [f"* Split: {info.split_meaning}."]
    if info.group:
        lines += [f"* Groups (`{info.group}`): {info.group_meaning}."]
    for layout in info.layouts.values():
        lines += _layout(info, layout)
    lines += [f"* Download: {_download(info)}"]
    if info.paper:
        both = ", ".join(f"{loss.replace('_', ' ')} {value}" for loss, value in info.paper.items())
        lines += [f"* The paper (AUC, its Appendix A, L2 regression where it says cross entropy): {both}."]
    lines += [f"* Published AUC: {figure}." for figure in info.figures]
    lines += [f"* Licence: {info.licence}. Source: {info.source}. Cite: {info.citation}.", ""]
    return "\n".join(lines)


def _layout(info: DatasetInfo, layout: Layout) -> list[str]:
    names = " + ".join(f"`{patterns[0]}`" for patterns in layout.names.values())
    optional = f" ({', '.join(layout.optional)} may be missing)" if layout.optional else ""
    form = {"csv": "delimited text", "libsvm": "libsvm, read as a sparse matrix", "parquet": "Parquet"}[layout.format]
    if layout.format == "csv":
        form += {"\t": ", tabs", ",": ", commas", " ": ", spaces"}[layout.delimiter]
        form += {"required": ", header", "none": ", no header", "optional": ", header or not"}[layout.header]
    said = " ".join(_sentence(text) for text in (layout.note, layout.differs) if text)
    lines = [f"* Layout `{layout.name}`: {names}{optional}; {form}. {said}".rstrip()]
    columns = [column for column in (*layout.columns, *layout.derived) if column.kind not in ("drop", "raw")]
    for kinds, called in ((NUMBERS, "Numbers"), (("category",), "Categories and ids")):
        found = [f"`{column.name}`" for column in columns if column.kind in kinds]
        if found:
            shown = found if len(found) <= 8 else [*found[:2], "...", found[-1]]
            lines += [f"    * {called} ({len(found)}): {', '.join(shown)}"]
    own = layout.overrides
    if "split_meaning" in own:
        lines += [f"    * Split: {own['split_meaning']}."]
    if "group_meaning" in own and own["group_meaning"] != info.group_meaning:
        lines += [f"    * Groups (`{own['group']}`): {own['group_meaning']}."]
    if "label_meaning" in own:
        lines += [f"    * Label: {own['label_meaning']}."]
    lines += [f"    * Left out: {text}." for text in own.get("left_out", ())]
    return lines


def _download(info: DatasetInfo) -> str:
    if not info.files:
        return "none is known; put the file into the folder named above."
    parts = [_file(file) for file in info.files]
    without = [layout for layout in info.layouts if not any(file.layout == layout for file in info.files)]
    more = f" By hand (see the source): {', '.join(f'`{layout}`' for layout in without)}." if without else ""
    return f"`python -m datasets fetch {info.name}`: {'; '.join(parts)}.{more}"


def _file(file: SourceFile) -> str:
    facts = [
        f"{file.size:,} bytes" if file.size else "",
        f"{file.checksum.split(':')[0]} published" if file.checksum else "no checksum of the file published",
        f"md5 of its {len(file.members)} files published" if file.members else "",
        f"only with `--only {file.name}`" if file.asked else "",
        f"{len(file.urls)} mirrors" if len(file.urls) > 1 else "",
    ]
    return f"`{file.name}` ({', '.join(fact for fact in facts if fact)})"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def replaced(page: str) -> str:
    """Return a page with the part between the two marks regenerated."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{published()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")
