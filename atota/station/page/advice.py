"""The operator's sentence for each end of a job: the problem, and what to do with the unit.

The page shows it in the station's language. The job's own sentence, in English, stands below it for the
engineer.
"""

from typing import Final

from atota.outcomes import Outcome
from atota.station.view import Language

_EN: Final[dict[Outcome, str]] = {
    Outcome.DONE: "Done: take the unit out.",
    Outcome.TASK: "The platform has a task: take the unit out, and put it in again.",
    Outcome.UPDATED: "Updated, and its version was read back: take the unit out.",
    Outcome.ALREADY_CURRENT: "It runs the right version already: take the unit out.",
    Outcome.NO_TASK: "The platform has no task for this unit: take it out.",
    Outcome.UPDATED_UNREPORTED: "Updated; the report to the platform follows by itself: take the unit out.",
    Outcome.ERROR: "The program failed: put the unit in again, and tell the engineer.",
    Outcome.USAGE: "The station is set up wrongly: keep the unit, and call the lead.",
    Outcome.BAD_CONFIG: "A file of the station is wrong: keep the unit, and call the lead.",
    Outcome.PORT: "The port was lost or taken: look at cable and adapter, and put the unit in again.",
    Outcome.NO_ANSWER: "The unit does not answer: reseat it once; if it stays silent, put it aside as bad.",
    Outcome.REFUSED: "Refused before anything was written: put the unit aside for the engineer.",
    Outcome.BAD_PACKAGE: "The firmware file does not fit: put the unit aside, and call the lead.",
    Outcome.SERVER: "The platform or the network failed: keep the unit, and put it in again later.",
    Outcome.WRITE_FAILED: "Writing failed; the unit runs what it ran: put it aside as bad.",
    Outcome.UNKNOWN_AFTER_REBOOT: "It did not come back in time: put it aside, powered if possible.",
    Outcome.OLD_VERSION: "It came back with its old version: put the unit aside as bad.",
    Outcome.LIMIT: "Not allowed now (quota, list, duplicate or lock): put the unit aside, and call the lead.",
    Outcome.TIMEOUT: "The time limit was reached: put the unit aside as bad.",
    Outcome.INTERRUPTED: "Stopped by a person: keep the unit, and put it in again later.",
}
_ZH: Final[dict[Outcome, str]] = {
    Outcome.DONE: "已完成：请取出。",
    Outcome.TASK: "平台有任务：请取出后重新放入。",
    Outcome.UPDATED: "升级成功，版本已回读确认：请取出。",
    Outcome.ALREADY_CURRENT: "已是目标版本：请取出。",
    Outcome.NO_TASK: "平台没有此件的任务：请取出。",
    Outcome.UPDATED_UNREPORTED: "升级成功，上报将自动补发：请取出。",
    Outcome.ERROR: "程序出错：请重新放入，并告知工程师。",
    Outcome.USAGE: "工位设置有误：保留此件，请叫班长。",
    Outcome.BAD_CONFIG: "工位文件有误：保留此件，请叫班长。",
    Outcome.PORT: "串口丢失或被占用：检查线缆和适配器，再重新放入。",
    Outcome.NO_ANSWER: "模块无应答：重新放置一次；仍无应答则放入不良品。",
    Outcome.REFUSED: "写入前已拒绝，未作改动：单独放置，交工程师。",
    Outcome.BAD_PACKAGE: "固件文件不匹配：单独放置此件，请叫班长。",
    Outcome.SERVER: "平台或网络故障：保留此件，稍后重新放入。",
    Outcome.WRITE_FAILED: "写入失败，仍运行原版本：放入不良品。",
    Outcome.UNKNOWN_AFTER_REBOOT: "重启后未按时恢复：单独放置，尽量不要断电。",
    Outcome.OLD_VERSION: "重启后仍是旧版本：放入不良品。",
    Outcome.LIMIT: "当前不允许（配额、名单、重复或占用）：单独放置，请叫班长。",
    Outcome.TIMEOUT: "超出时间限制：放入不良品。",
    Outcome.INTERRUPTED: "已被人工停止：保留此件，稍后重新放入。",
}


def outcome_words(language: Language) -> dict[Outcome, str]:
    """Return the operator's sentence for each outcome."""
    return _ZH if language == "zh" else _EN
