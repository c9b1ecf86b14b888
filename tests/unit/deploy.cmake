# What belongs to a card's deployment and needs no card.
systole_add_test(unit_sha256 SOURCES sha256_test.c LIBS systole_internal LABELS unit)
systole_add_test(unit_card_power SOURCES card_power_test.c LIBS systole_internal LABELS unit)
systole_add_test(unit_passport SOURCES passport_test.c LIBS systole_internal LABELS unit)
