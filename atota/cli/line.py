"""The commands of the line, in one table."""

from atota.cli.command import Command

LINE = (
    Command(
        "init",
        "line:init",
        "Make the line's tables in a PostgreSQL database, or bring them up to date.",
        example="atota line init --database postgresql://atota@localhost/atota",
    ),
    Command(
        "migrate",
        "line:init",
        "Bring the line's tables up to date, as `init` does; stations may go on meanwhile.",
        example="atota line migrate --database postgresql://atota@localhost/atota",
    ),
    Command(
        "serve",
        "line:serve",
        "Serve the stations and the managers' page, until Ctrl-C.",
        example="atota line serve --database postgresql://atota@localhost/atota --listen 127.0.0.1:8443",
    ),
    Command(
        "writeoff",
        "line_quota:write_off",
        "Give up the tickets of a grant whose station is lost. They stay granted: each may be spent.",
        example="atota line writeoff GRANT --reason 'disk of st-07 burnt'",
    ),
    Command(
        "conflicts",
        "line_figures:conflicts",
        "List records that cannot both be right: cloned IMEIs, serial numbers bound twice.",
        example="atota line conflicts",
    ),
    Command(
        "yield",
        "line_figures:batch_yield",
        "Show a batch's yield: units, first pass, final, retests, Pareto of failures, cycle times.",
        example="atota line yield --batch B-2026-118",
    ),
    Command(
        "export",
        "line_figures:export",
        "Write the records of the line or a batch for other programs, IMEIs whole.",
        example="atota line export --batch B-2026-118 -o records.csv",
    ),
    Command(
        "rebuild",
        "line_rebuild:rebuild",
        "Fill a database that was lost or restored: wait until the stations have sent everything again.",
        example="atota line rebuild st-01 st-02",
    ),
)
LINE_STATION = (
    Command(
        "add",
        "line:add_station",
        "Add a station and print its key, once; again: it gets a new key.",
        example="atota line station add st-07",
    ),
    Command(
        "revoke",
        "line:revoke_station",
        "Refuse a station's key from now on.",
        example="atota line station revoke st-07",
    ),
    Command("list", "line:list_stations", "List the stations.", example="atota line station list"),
)
LINE_PERSON = (
    Command(
        "add",
        "line:add_person",
        "Give a person access to the managers' page; the PIN is read from stdin.",
        example="atota line person add wang --role lead",
    ),
    Command("remove", "line:remove_person", "Remove an account.", example="atota line person remove wang"),
    Command("list", "line:list_people", "List the accounts.", example="atota line person list"),
)
LINE_BATCH = (
    Command(
        "new",
        "line_quota:new_batch",
        "Make a batch with a quota, or change its quota.",
        example="atota line batch new B-2026-118 --quota 5000",
    ),
    Command(
        "open", "line_quota:open_batch", "Grant tickets again.", example="atota line batch open B-2026-118"
    ),
    Command(
        "close",
        "line_quota:close_batch",
        "Grant no more tickets; stations may spend what they hold.",
        example="atota line batch close B-2026-118",
    ),
    Command(
        "show",
        "line_quota:show_batch",
        "Show a batch: quota, granted, spent, and each grant; without a name, all batches.",
        example="atota line batch show B-2026-118",
    ),
)
LINE_DEVICES = (
    Command(
        "import",
        "line_quota:import_devices",
        "Import device ids from a CSV file with the columns product_id, dev_id and, if bound, imei.",
        example="atota line devices import devices.csv",
    ),
)
LINE_GROUPS = (
    ("line", "Many stations and one PostgreSQL database.", LINE),
    ("line station", "The stations of the line, and their keys.", LINE_STATION),
    ("line person", "Accounts for the managers' page.", LINE_PERSON),
    ("line batch", "Batches and their quotas.", LINE_BATCH),
    ("line devices", "Device ids that stations hand to modules.", LINE_DEVICES),
)
