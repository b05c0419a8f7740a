"""The context of a booster's call to an objective: groups in its data set, the device, other machines, units."""
