"""Why a link is bad, and what to do about it: findings about port, line, module and platform."""
