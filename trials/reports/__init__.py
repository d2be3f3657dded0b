"""What leaves a trial: tables, spreadsheets, documents."""
