"""YAML as laws are written in it: read without aliases and repeated keys, written as people read it. Pure."""

from __future__ import annotations

from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """Safe YAML without aliases (a few lines of them expand to gigabytes), that refuses a key given twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse an alias, and read everything else as usual."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"aliases are not allowed (line {self.line + 1})")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a key that is given twice, and read everything else as usual."""
        seen = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {name!r:.60} is there twice")
            seen.add(name)
        return super().construct_mapping(node, deep)


class Dumper(yaml.SafeDumper):
    """YAML that people read: blocks as blocks, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Tell the writer to repeat a value rather than to refer to it."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _represent_text)
