/* A card whose registers and memory the caller's functions reach (systole_bus). It has no
 * name of its own in `systole devices`: systole_device_open_on_bus makes one. */
#ifndef SYSTOLE_CARD_BUS_H
#define SYSTOLE_CARD_BUS_H

#include "card/card.h"

/* SYSTOLE_ERR_ARGUMENT: the bus makes no sense, or nothing that answers is Systole. */
systole_status systole_card_bus_make(systole_card **out, const systole_bus *bus);

extern const systole_card_ops systole_card_bus; /* `open` refuses */

#endif
