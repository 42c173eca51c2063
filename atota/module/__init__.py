"""A module on a link: commands and replies, identification, baud rate, reboot."""
