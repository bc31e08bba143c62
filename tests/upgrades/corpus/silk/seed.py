autofill("silk", rows=80)
