"""The OTA APIs of China Mobile OneNET."""
