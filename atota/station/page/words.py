"""The words of the page, in English and Chinese."""

from typing import Final

from atota.station.lane import LaneState, Verdict
from atota.station.view import Language

Words = dict[str, str]

_EN: Final[Words] = {
    "title": "station",
    "batch": "Batch",
    "operator": "Operator",
    "passed": "passed",
    "failed": "failed",
    "station-error": "station errors",
    "retested": "retested",
    "first-pass": "first-pass yield",
    "an-hour": "units an hour",
    "online": "line online",
    "offline": "line offline",
    "since": "since",
    "waiting": "records wait",
    "tickets": "tickets left",
    "scanned": "last scan",
    "scan-field": "Scan or type a code",
    "scan-button": "Enter",
    "sound-off": "Sound is off",
    "sound-on": "Switch sound on",
    "stale": "CONNECTION LOST – nothing on this page is current",
    "details": "Lane {number}: details",
    "close": "Close",
    "done-before": "This unit was done before: take it out.",
    "removed": "The unit is out",
    "again": "Run this unit again",
    "switch-on": "Switch the lane on",
    "switch-off": "Switch the lane off",
    "release": "Release",
    "release-station": "Release the station",
    "release-lane": "Release lane {number}",
    "waiting-for": "waiting for {thing}",
    "reason": "Reason",
    "by": "Lead",
    "lane": "Lane",
    "imei": "IMEI",
    "serial": "Serial number",
    "model": "Model",
    "version": "Version",
    "record": "Record",
    "label": "Label",
    "place": "Place",
    "login": "This page needs the station's token",
    "token": "Token",
    "open": "Open",
    "refused": "Refused",
    "no-script": "This page needs JavaScript.",
}
_ZH: Final[Words] = {
    "title": "工位",
    "batch": "批次",
    "operator": "操作员",
    "passed": "通过",
    "failed": "失败",
    "station-error": "工位故障",
    "retested": "复测",
    "first-pass": "直通率",
    "an-hour": "每小时台数",
    "online": "产线在线",
    "offline": "产线离线",
    "since": "自",
    "waiting": "条记录待上传",
    "tickets": "张配额剩余",
    "scanned": "最近扫码",
    "scan-field": "扫码或输入",
    "scan-button": "确认",
    "sound-off": "声音已关闭",
    "sound-on": "打开声音",
    "stale": "连接中断 – 本页内容不是当前状态",
    "details": "{number} 号通道：详情",
    "close": "关闭",
    "done-before": "此件已做过：请取出。",
    "removed": "已取出",
    "again": "重新运行此件",
    "switch-on": "启用通道",
    "switch-off": "停用通道",
    "release": "解除",
    "release-station": "解除工位停机",
    "release-lane": "解除 {number} 号通道",
    "waiting-for": "等待：{thing}",
    "reason": "原因",
    "by": "班长",
    "lane": "通道",
    "imei": "IMEI",
    "serial": "序列号",
    "model": "型号",
    "version": "版本",
    "record": "记录",
    "label": "标签",
    "place": "位置",
    "login": "本页需要工位令牌",
    "token": "令牌",
    "open": "打开",
    "refused": "已拒绝",
    "no-script": "本页需要 JavaScript。",
}
_STATES_EN: Final[dict[LaneState, str]] = {
    LaneState.OFF: "off",
    LaneState.EMPTY: "empty",
    LaneState.APPEARED: "unit seen",
    LaneState.SETTLING: "settling",
    LaneState.IDENTIFYING: "identifying",
    LaneState.WANTING_SCAN: "scan label",
    LaneState.RUNNING: "running",
    LaneState.PASSED: "passed",
    LaneState.FAILED: "failed",
    LaneState.STATION_ERROR: "station error",
    LaneState.REMOVE_UNIT: "remove unit",
    LaneState.LOST: "unit lost",
    LaneState.BLOCKED: "blocked",
}
_STATES_ZH: Final[dict[LaneState, str]] = {
    LaneState.OFF: "停用",
    LaneState.EMPTY: "空",
    LaneState.APPEARED: "已插入",
    LaneState.SETTLING: "稳定中",
    LaneState.IDENTIFYING: "识别中",
    LaneState.WANTING_SCAN: "请扫码",
    LaneState.RUNNING: "运行中",
    LaneState.PASSED: "通过",
    LaneState.FAILED: "失败",
    LaneState.STATION_ERROR: "工位故障",
    LaneState.REMOVE_UNIT: "请取出",
    LaneState.LOST: "连接丢失",
    LaneState.BLOCKED: "已停",
}
_STAGES_ZH: Final[Words] = {
    "open": "打开端口",
    "identify": "识别",
    "check": "查询任务",
    "plan": "检查条件",
    "download": "下载",
    "verify": "校验",
    "prepare": "准备",
    "write": "写入",
    "validate": "模组校验",
    "activate": "启动升级",
    "reboot": "重启",
    "confirm": "确认版本",
    "report": "上报",
}
_VERDICTS_EN: Final[dict[Verdict, str]] = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.STATION_ERROR: "STATION",
}
_VERDICTS_ZH: Final[dict[Verdict, str]] = {
    Verdict.PASS: "通过",
    Verdict.FAIL: "失败",
    Verdict.STATION_ERROR: "工位",
}
GLYPHS: Final[dict[Verdict, str]] = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.STATION_ERROR: "!"}
"""The sign of each verdict: a second mark beside word, colour and border."""


def words(language: Language) -> Words:
    """Return the page's own words."""
    return _ZH if language == "zh" else _EN


def state_words(language: Language) -> dict[LaneState, str]:
    """Return the word for each state of a lane."""
    return _STATES_ZH if language == "zh" else _STATES_EN


def stage_words(language: Language) -> Words:
    """Return the word for each stage that has another one than its name."""
    return _STAGES_ZH if language == "zh" else {}


def verdict_words(language: Language) -> dict[Verdict, str]:
    """Return the word for each verdict."""
    return _VERDICTS_ZH if language == "zh" else _VERDICTS_EN
