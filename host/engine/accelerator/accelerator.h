/* The engine that computes on a card. */
#ifndef SYSTOLE_ENGINE_ACCELERATOR_H
#define SYSTOLE_ENGINE_ACCELERATOR_H

#include "card/card.h"
#include "engine/accelerator/run.h"
#include "engine/engine.h"
#include "program/timing.h"

/* An engine on a card of a given row, registered or not. `what` is what stands behind the
 * colon of a device name. */
systole_status systole_accelerator_open(systole_engine **out, const systole_card_ops *ops,
                                        const char *what,
                                        const systole_device_options *options);

/* The same on a card that is open already; it is the engine's from here on, and closed
 * after a failure. */
systole_status systole_accelerator_on(systole_engine **out, const systole_card_ops *ops,
                                      systole_card *card, const char *what,
                                      const systole_device_options *options);

/* For runs of a caller's own command stream. Borrowed from the engine. */
const systole_run_context *systole_accelerator_context(const systole_engine *engine);

/* How fast its memory is; ideal where that is not known. */
const systole_memory_timing *systole_accelerator_memory(const systole_engine *engine);

/* Host memory to pack into, and device memory on gmem0 for the operands of a run; both
 * belong to the engine and hold until the next call with more bytes. */
systole_status systole_accelerator_staging(systole_engine *engine, uint64_t bytes,
                                           void **out);
systole_status systole_accelerator_scratch(systole_engine *engine, uint64_t bytes,
                                           uint64_t *address);

/* conv.c: the convolution of engine.h. */
systole_status systole_accelerator_conv2d(systole_engine *engine,
                                          const systole_conv_call *call,
                                          systole_stats *stats);

#endif
