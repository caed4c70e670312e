"""The forms of the dashboard. They read values; whether a value will do, operations say."""
