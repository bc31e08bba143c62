"""Copies of production that can't reach real users: rules, masks, the gate for personal data. See docs/defang.md."""
