/* Every card that this build knows, in the order of `systole devices`. */
#include "card/card.h"

static const systole_card_ops *const rows[] = {
    &systole_card_rtl, &systole_card_model, &systole_card_systemc,
    &systole_card_xrt, &systole_card_xocl,
};

const systole_card_ops *const *systole_card_rows(size_t *count) {
  *count = sizeof rows / sizeof rows[0];
  return rows;
}
