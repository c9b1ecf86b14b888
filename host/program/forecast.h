/* What a command stream will cost on a device: its cycles, the whole ledger, and the
 * bytes on each port, from the instructions, the geometry and the timing of memory alone.
 *
 * The units are followed event by event (an instruction, a burst, a weight tile), and
 * cycle by cycle only while rows of several units meet: a product of 1024 x 1024 x 1024
 * takes milliseconds. What each unit does between two events is the law that hw/README.md
 * states for it. Tests demand the RTL's cycles and ledger, difference 0.
 */
#ifndef SYSTOLE_PROGRAM_FORECAST_H
#define SYSTOLE_PROGRAM_FORECAST_H

#include <stdint.h>

#include "program/instruction.h"
#include "program/timing.h"
#include "systole/systole.h"

typedef struct systole_forecast {
  uint64_t cycles;
  systole_ledger ledger; /* sums to cycles */
  uint64_t gmem0_read_bytes, gmem0_write_bytes, gmem1_read_bytes;
  uint64_t instructions; /* END left out, as the device counts them */
  uint64_t events;       /* that were followed; not a figure of the device */
} systole_forecast;

/* `instructions` end with END. SYSTOLE_ERR_ARGUMENT: the stream does not run to its end.
 * Errors that a device would find in a field are not looked for (systole_prove does). */
systole_status systole_forecast_make(systole_forecast *out,
                                     const systole_instruction *instructions,
                                     uint32_t count, const systole_geometry *geometry,
                                     const systole_memory_timing *memory);

/* The same without skipping what repeats (forecast_skip.h): slower, and equal in every
 * number but `events`. */
systole_status systole_forecast_every_event(systole_forecast *out,
                                            const systole_instruction *instructions,
                                            uint32_t count,
                                            const systole_geometry *geometry,
                                            const systole_memory_timing *memory);

/* ---- memory that answers for itself --------------------------------------------------
 */

/* A burst of a device's AXI ports. Fetch and weights read on gmem1, LOAD reads and STORE
 * writes on gmem0; what goes the same way on the same port is answered in order,
 * and not at once while one before it is unanswered. */
typedef struct systole_forecast_burst {
  int unit;       /* SYSTOLE_UNIT_FETCH, _WEIGHT, _LOAD, _STORE */
  int64_t now;    /* cycle that the device is in; never goes back */
  int64_t cycle;  /* of a read's address or of a write's last beat: now, later, or up to
                     SYSTOLE_FORECAST_BACK before */
  int64_t offset; /* bytes from the unit's base pointer: program, weights, activations */
  int64_t bytes;
} systole_forecast_burst;

typedef struct systole_forecast_answer {
  int unit;      /* whose oldest unanswered burst it is */
  int64_t cycle; /* of a read's first beat at the port, or of a write's response */
} systole_forecast_answer;

enum {
  SYSTOLE_FORECAST_LATER = -1,  /* the answer comes through `pass` */
  SYSTOLE_FORECAST_ABANDON = -2 /* the forecast ends here */
};

/* Takes the place of the timing law's latency: memory that others use as well, in a
 * larger simulation whose time passes inside these functions. */
typedef struct systole_forecast_bus {
  void *user; /* of the functions */

  /* Sends `burst`, in the order of `now`. Returns the answer's cycle, or one of the two
   * above. Time may pass until burst->now. */
  int64_t (*send)(void *user, const systole_forecast_burst *burst);

  /* Called while answers are missing. Lets time pass until `cycle` (INT64_MAX: as long as
   * it takes), or until there is an answer. Returns 1 with *answer, 0 at `cycle`, or
   * SYSTOLE_FORECAST_ABANDON. */
  int (*pass)(void *user, int64_t cycle, systole_forecast_answer *answer);
} systole_forecast_bus;

enum { SYSTOLE_FORECAST_BACK = 4 }; /* cycles that a burst may lie before `now` */

/* As systole_forecast_make, event by event, with bursts that `bus` answers; of `memory`
 * only the rates hold, within a burst. Where every answer is that of the law, so is the
 * result. SYSTOLE_ERR_DEVICE: abandoned; out->cycles says when. */
systole_status systole_forecast_on_bus(systole_forecast *out,
                                       const systole_instruction *instructions,
                                       uint32_t count, const systole_geometry *geometry,
                                       const systole_memory_timing *memory,
                                       const systole_forecast_bus *bus);

#endif
