"""Distribution of the tests to testers: what shares a set-up stays together, and the long groups begin first.

xdist's own `loadgroup` writes the groups where pytest 9.2 no longer reads them, so each tester made every set-up. Its
schedulers also stop for good when a tester dies: what that tester had completed is handed out again as empty units.
"""

from dataclasses import replace

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController


class GroupScheduling(LoadScopeScheduling):
    """Tests by their group, the others by their module, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        module, _, name = nodeid.partition("[")[0].partition("::")
        return name.rpartition("@")[2] if "@" in name else module

    def remove_node(self, node: WorkerController) -> str | None:
        """Hand out what a tester leaves behind, and return the test that ended it, which is not tried again."""
        units = self.assigned_work.pop(node)
        left = [(scope, test) for scope, unit in units.items() for test, completed in unit.items() if not completed]
        if not left:
            return None
        (_, ended_it), *others = left
        for scope, test in others:
            self.workqueue.setdefault(scope, {})[test] = False
        for other in self.assigned_work:
            self._reschedule(other)
        return ended_it


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling | None:
    return GroupScheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a tester, put the groups first, and name them to the scheduler, which sees nothing but the tests' ids."""
    if not config.getoption("loadgroup", False):
        return
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    for item in items:
        if group := item.get_closest_marker("xdist_group"):
            *outer, name = item._id.names
            item._id = replace(item._id, names=(*outer, f"{name}@{group.args[0]}"))
