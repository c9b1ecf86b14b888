/* What stands behind "model:": an array size, a preset or a file, and changes.
 *
 *   64                          the geometry of the RTL of that size
 *   tpu-v1                      a preset of presets/, built into the library
 *   FILE.json                   one of one's own, of the same form (docs/model.md)
 *   ...,KEY=VALUE,...           behind any of them: ub, acc (rows), tiles, axi (bytes),
 *                               clock (MHz, or with k, M or G), memory, gmem0, gmem1
 *                               (GB/s), latency0, latency1 (cycles, or ns), data,
 *                               skip
 *
 * Shared by every card that is such a machine. */
#ifndef SYSTOLE_CARD_MODEL_PRESET_H
#define SYSTOLE_CARD_MODEL_PRESET_H

#include <stddef.h>

#include "model/model.h"
#include "systole/systole.h"

enum { SystolePresetMemory = 96 };

typedef struct systole_preset {
  systole_geometry geometry;
  double clock_mhz; /* 0: not said */
  systole_kind clock_kind;
  char memory[SystolePresetMemory]; /* as systole_axi_ports reads it */
  uint64_t memory_bytes;            /* behind each port; 0: not said */
  const char *technology;           /* of its energy; NULL: not said. Static storage */
  int timing_only;                  /* data=0 */
  int every_event;                  /* skip=0 */
} systole_preset;

/* Reads `what` ("64", "tpu-v1,clock=350M", "mine.json"); `scheme` is the card's, for
 * sentences. SYSTOLE_ERR_ARGUMENT: there is no such preset or file, or it makes no sense,
 * in words. */
systole_status systole_preset_read(systole_preset *out, const char *scheme,
                                   const char *what);

/* Name and one line about preset `index`; 0 beyond the last one. `about` is cut to fit.
 */
int systole_preset_at(size_t index, const char **name, char *about, size_t about_bytes);

/* What is asked for, with what the caller's options (may be NULL) say in its place. The
 * strings of *out belong to *preset and *options. */
void systole_preset_options(systole_model_options *out, const systole_preset *preset,
                            const systole_device_options *options);

#endif
