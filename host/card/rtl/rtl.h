/* For tests of the simulated card: the model underneath. */
#ifndef SYSTOLE_CARD_RTL_RTL_H
#define SYSTOLE_CARD_RTL_RTL_H

#include "card/card.h"
#include "systole_rtl.h"

/* `card` must be one that systole_card_rtl opened. Both are borrowed until it is closed.
 */
systole_rtl *systole_card_rtl_model(systole_card *card, const systole_rtl_api **api);

#endif
