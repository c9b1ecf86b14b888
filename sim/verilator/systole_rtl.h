/* The C face of one Verilated model. Every libsystole_rtl_*.so exports one function,
 * systole_rtl_entry, which gives this table; host/card/rtl loads the library and calls
 * it.
 *
 * A model is one kernel with its clock, its control port and the memory behind its two
 * AXI ports. Models are independent: each has its own Verilator context, and different
 * models may run in different threads at once. One model is used by one thread at a time.
 *
 * No C++ exception leaves these functions. On failure the story says why; after a failure
 * of start or wait the model needs reset before it runs again.
 */
#ifndef SYSTOLE_RTL_H
#define SYSTOLE_RTL_H

#include "../memory/axi_memory.h"
#include "systole/systole.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYSTOLE_RTL_API_VERSION 2
#define SYSTOLE_RTL_ENTRY "systole_rtl_entry"

typedef struct systole_rtl systole_rtl;

/* What crossed a port since the model was made or reset. */
typedef struct systole_rtl_traffic {
  uint64_t read_beats, write_beats, written_bytes;
} systole_rtl_traffic;

typedef struct systole_rtl_api {
  uint32_t version; /* SYSTOLE_RTL_API_VERSION; a different one: do not call anything */
  int dim;          /* parameters the model was built with */
  int axi_bytes;
  int flat_array;
  int debug; /* 1: checks the RTL's assertions and can write waveforms (and is slower) */

  /* Name of memory preset `index`, NULL beyond the last one. */
  const char *(*preset_name)(int index);

  /* `options` is never NULL and already checked. On failure the sentence goes to `story`.
   */
  systole_status (*create)(systole_rtl **out, const systole_device_options *options,
                           char *story, size_t story_bytes);
  void (*destroy)(
      systole_rtl *model); /* accepts NULL; also mid-run; finishes the waveform */

  /* The last failure of this model as a sentence. Borrowed until the next call. */
  const char *(*story)(const systole_rtl *model);

  systole_status (*read_register)(systole_rtl *model, uint32_t offset, uint32_t *value);
  systole_status (*write_register)(systole_rtl *model, uint32_t offset, uint32_t value);

  systole_status (*alloc)(systole_rtl *model, int port, uint64_t bytes,
                          uint64_t *address);
  systole_status (*release)(systole_rtl *model, int port, uint64_t address);
  systole_status (*write)(systole_rtl *model, int port, uint64_t address,
                          const void *data, uint64_t bytes);
  systole_status (*read)(systole_rtl *model, int port, uint64_t address, void *data,
                         uint64_t bytes);

  systole_status (*start)(systole_rtl *model, uint64_t program, uint64_t weights,
                          uint64_t activations, uint32_t instructions);
  /* As in card.h. */
  systole_status (*wait)(systole_rtl *model, uint32_t slice_ms, int *done);
  /* Pulses ap_rst_n and forgets what is under way; memory contents stay. */
  systole_status (*reset)(systole_rtl *model);

  const char *(*memory_name)(const systole_rtl *model);
  double (*clock_mhz)(const systole_rtl *model);
  double (*run_cpu_seconds)(const systole_rtl *model);

  /* ---- for tests and benchmarks ---- */

  /* Clock edges since the model was made. */
  uint64_t (*cycles)(const systole_rtl *model);
  /* `count` clock cycles and nothing else. */
  systole_status (*idle)(systole_rtl *model, uint64_t count);
  void (*traffic)(const systole_rtl *model, int port, systole_rtl_traffic *out);
  /* As systole_axi_port_fault, _hang and _heal. */
  int (*fault)(systole_rtl *model, int port, const systole_axi_fault *fault);
  void (*hang)(systole_rtl *model, int port, int channels);
  void (*heal)(systole_rtl *model, int port);

  /* Puts `store` behind `port` in place of the model's own memory, as for kernels that
   * share a card's memory. Borrowed until the model is destroyed; alloc, write and read
   * stay with the model's own. Only directly after create. */
  void (*attach)(systole_rtl *model, int port, const systole_axi_store *store);
} systole_rtl_api;

const systole_rtl_api *systole_rtl_entry(void);

#ifdef __cplusplus
}
#endif
#endif
