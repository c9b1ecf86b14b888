/* A device handle, for the other files of the library and for tests. */
#ifndef SYSTOLE_LIBRARY_DEVICE_H
#define SYSTOLE_LIBRARY_DEVICE_H

#include "card/card.h"
#include "engine/engine.h"

struct systole_device {
  const systole_engine_ops *ops;
  systole_engine *engine;
  char *name;
  struct systole_energy_meter *model; /* of what ops->draws tells; NULL: there is none */
};

/* A device on a card of a row that need not be registered (tests bring their own). */
systole_status systole_device_open_card(systole_device **out, const systole_card_ops *ops,
                                        const char *what,
                                        const systole_device_options *options);

/* The card underneath, NULL when there is none. */
const systole_card_ops *systole_device_card(const systole_device *device,
                                            systole_card **card);

#endif
