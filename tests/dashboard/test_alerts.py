"""The screen of alerts, in a browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from hookline.dashboard.screens.alerts import WHAT_TO_DO
from support.dashboards import Jobs

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_it_says_what_is_wrong_and_what_to_do(dashboard: str, jobs: Jobs, tab: Page) -> None:
    await tab.goto(f"{dashboard}/alerts")
    await expect(tab.get_by_role("heading", name="All is well")).to_be_visible()
    jobs.run("select upload_pipeline.pause_stage('parsed', now() + interval '1 hour', 'a <key>')")
    await tab.reload()
    # The page may show what was read a few seconds ago, if that read was slow; it refreshes itself.
    await expect(tab.get_by_role("heading", name="Stage paused: parsed")).to_be_visible(
        timeout=30_000
    )
    await expect(tab.get_by_text("a <key>")).to_be_visible()
    await tab.get_by_role("link", name="Look").click()
    await expect(tab.get_by_role("heading", name="Stages")).to_be_visible()


async def test_every_kind_of_alert_has_its_advice(jobs: Jobs) -> None:
    [(definition,)] = jobs.run("select pg_get_viewdef('upload_pipeline.alerts'::regclass)")
    # Each branch of the view begins with its name.
    kinds = set(re.findall(r"(?:SELECT|select)\s+'([a-z_]+)'::text", definition))
    assert kinds == WHAT_TO_DO.keys()
