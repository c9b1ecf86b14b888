/* The card seam: something that executes a command stream. One folder per row
 * (rtl: Verilated RTL; later model, systemc, xrt). A card knows nothing of matrices.
 *
 * A card's table is `const`, registered in host/card/registry.c. Calls on one card come
 * from one thread at a time. Failures return a status and leave a sentence (systole_fail
 * in host/support/error.h). The table is append-only; `version` says how far it is
 * filled.
 */
#ifndef SYSTOLE_CARD_H
#define SYSTOLE_CARD_H

#include "systole/systole.h"

typedef struct systole_card systole_card; /* each row defines its own */

/* Arguments of one run; addresses are device addresses from `alloc`. */
typedef struct systole_launch {
  uint64_t program;     /* gmem1, 64-byte aligned */
  uint64_t weights;     /* gmem1, 64-byte aligned */
  uint64_t activations; /* gmem0, 64-byte aligned */
  uint32_t instructions;
} systole_launch;

#define SYSTOLE_CARD_VERSION 1

typedef struct systole_card_ops {
  uint32_t version;   /* SYSTOLE_CARD_VERSION */
  const char *scheme; /* before the colon of a device name: "rtl" */
  int simulated;      /* 1: cycles come from a simulated clock; see also `simulates` */

  /* Appends what this row can offer here. Called for `systole devices`; must not start
   * anything slow and must not abort. `add` copies the strings. */
  void (*list)(void (*add)(void *user, const systole_device_info *info), void *user);

  /* `what` follows the colon ("16", "16:readable"). Never NULL. *out is NULL on failure.
   */
  systole_status (*open)(systole_card **out, const char *what,
                         const systole_device_options *options);
  void (*close)(systole_card *card); /* accepts NULL; also mid-run */

  /* One 32-bit register. Offsets as in systole_isa.h; any time, also while a run is
   * going. */
  systole_status (*read_register)(systole_card *card, uint32_t offset, uint32_t *value);

  /* Device memory. alloc aligns to 4096; memory is not cleared. free accepts unknown 0.
   */
  systole_status (*alloc)(systole_card *card, systole_port port, uint64_t bytes,
                          uint64_t *address);
  void (*free)(systole_card *card, systole_port port, uint64_t address);
  systole_status (*write)(systole_card *card, systole_port port, uint64_t address,
                          const void *data, uint64_t bytes);
  systole_status (*read)(systole_card *card, systole_port port, uint64_t address,
                         void *data, uint64_t bytes);

  /* Starts a run; SYSTOLE_ERR_DEVICE if one is going. */
  systole_status (*start)(systole_card *card, const systole_launch *launch);

  /* Advances or waits until done, at most about `slice_ms`. *done is 1 when the run has
   * ended (well or badly: the caller reads RegErrorCode). 0: call again; nothing is lost.
   * SYSTOLE_ERR_DEVICE: an RTL assertion or AXI protocol error, the module named in the
   * story; SYSTOLE_ERR_TIMEOUT: the device does not answer and must be reopened. */
  systole_status (*wait)(systole_card *card, uint32_t slice_ms, int *done);

  /* Makes a wedged or interrupted card usable again (reset of the kernel, not of memory).
   * NULL: the row cannot. */
  systole_status (*reset)(systole_card *card);

  double (*clock_mhz)(const systole_card *card, systole_kind *kind);
  /* Preset, as long as the card is open; NULL: real memory. */
  const char *(*memory_name)(const systole_card *card);

  /* CPU seconds spent inside runs since open (simulated cards), else 0. */
  double (*run_cpu_seconds)(const systole_card *card);

  /* Clock cycles since open, also while a run is going; waiting advances them, reading
   * and writing memory does not. NULL: the row has no simulated clock. */
  uint64_t (*cycles)(const systole_card *card);

  /* The same as `simulated` for one card, in a row that has both kinds; NULL: the row
   * has one. */
  int (*simulates)(const systole_card *card);

  /* 1: runs of this card tell cycles and compute nothing. NULL: every run computes. A row
   * without it refuses nothing: systole_accelerator_open does. */
  int (*timing_only)(const systole_card *card);

  /* The technology that the machine is built in (systole/energy.h), static storage; NULL,
   * or a row without it: not known, and the default is meant. */
  const char *(*technology)(const systole_card *card);
} systole_card_ops;

/* 1 when the cycles of `card` come from a simulated clock. */
static inline int systole_card_simulates(const systole_card_ops *ops,
                                         const systole_card *card) {
  return ops->simulates ? ops->simulates(card) : ops->simulated;
}

/* All rows built into this library; count in *count. */
const systole_card_ops *const *systole_card_rows(size_t *count);

/* ---- rows ---- */
extern const systole_card_ops systole_card_rtl;
extern const systole_card_ops systole_card_model;
extern const systole_card_ops systole_card_systemc;
extern const systole_card_ops systole_card_xrt;
extern const systole_card_ops systole_card_xocl;

#endif
