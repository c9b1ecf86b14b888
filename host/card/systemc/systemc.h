/* What tests reach of the card `systemc`. */
#ifndef SYSTOLE_CARD_SYSTEMC_H
#define SYSTOLE_CARD_SYSTEMC_H

#include "../../../sim/systemc/systole_systemc.h"
#include "card/card.h"

/* The platform underneath; *api gets its functions. */
systole_systemc *systole_card_systemc_platform(systole_card *card,
                                               const systole_systemc_api **api);

#endif
