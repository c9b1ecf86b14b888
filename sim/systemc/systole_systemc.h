/* The C face of a SystemC platform. libsystole_systemc_card.so exports one function,
 * systole_systemc_entry, which gives this table; host/card/systemc loads the library and
 * calls it.
 *
 * A platform is an accelerator, its two memories, a router and the CPU that every
 * register access and copy goes through, in a simulation kernel of its own. Kernels take
 * turns: platforms may be used by different threads, one at a time each, and one of them
 * runs at any moment. In a process whose own SystemC simulation is running, nothing here
 * works (and says so); the accelerator belongs into that simulation (systole/systemc.h).
 *
 * No C++ exception leaves these functions. After SYSTOLE_ERR_TIMEOUT and
 * SYSTOLE_ERR_INTERNAL the platform must be made anew. */
#ifndef SYSTOLE_SYSTEMC_C_H
#define SYSTOLE_SYSTEMC_C_H

#include "systole/systole.h"

#ifdef __cplusplus
extern "C" {
#endif

#include "model/model.h"

#define SYSTOLE_SYSTEMC_API_VERSION 1
#define SYSTOLE_SYSTEMC_ENTRY "systole_systemc_entry"

typedef struct systole_systemc systole_systemc;

typedef struct systole_systemc_options {
  systole_model_options model; /* without its bus */
  int loose;                   /* 1: loosely timed */
  uint32_t quantum_ns;         /* of loose timing; 0: 1 us */
  /* Percent of either memory's bandwidth that a second initiator reads during runs. */
  uint32_t traffic;
} systole_systemc_options;

typedef struct systole_systemc_api {
  uint32_t version;      /* SYSTOLE_SYSTEMC_API_VERSION; another one: call nothing */
  uint32_t options_size; /* of the struct above */

  /* On failure the sentence goes to `story`. */
  systole_status (*create)(systole_systemc **out, const systole_systemc_options *options,
                           char *story, size_t story_bytes);
  void (*destroy)(systole_systemc *platform); /* accepts NULL; also mid-run */
  /* The last failure as a sentence. Borrowed until the next call. */
  const char *(*story)(const systole_systemc *platform);

  systole_status (*read_register)(systole_systemc *platform, uint32_t offset,
                                  uint32_t *value);
  systole_status (*alloc)(systole_systemc *platform, int port, uint64_t bytes,
                          uint64_t *address);
  systole_status (*release)(systole_systemc *platform, int port, uint64_t address);
  systole_status (*write)(systole_systemc *platform, int port, uint64_t address,
                          const void *data, uint64_t bytes);
  systole_status (*read)(systole_systemc *platform, int port, uint64_t address,
                         void *data, uint64_t bytes);
  systole_status (*start)(systole_systemc *platform, uint64_t program, uint64_t weights,
                          uint64_t activations, uint32_t instructions);
  /* As in card.h. */
  systole_status (*wait)(systole_systemc *platform, uint32_t slice_ms, int *done);
  systole_status (*reset)(systole_systemc *platform);

  double (*run_cpu_seconds)(const systole_systemc *platform);
  uint64_t (*cycles)(const systole_systemc *platform);

  /* ---- for tests ---- */

  /* The bytes first ... last of either memory answer with an error from now on. */
  systole_status (*refuse)(systole_systemc *platform, int port, uint64_t first,
                           uint64_t last);
  /* Bursts that the accelerator has sent, and bytes that the second initiator has read.
   */
  uint64_t (*bursts)(const systole_systemc *platform);
  uint64_t (*traffic_bytes)(const systole_systemc *platform);
} systole_systemc_api;

const systole_systemc_api *systole_systemc_entry(void);

#ifdef __cplusplus
}
#endif
#endif
