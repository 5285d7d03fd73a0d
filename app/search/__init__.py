"""From one record, text, label or selection to its neighbours."""
