/* What a command stream computes: instructions in the order that their tokens allow, each
 * as one step. Time is not known here (host/program/forecast.h tells it). */
#ifndef SYSTOLE_MODEL_EXECUTE_H
#define SYSTOLE_MODEL_EXECUTE_H

#include <stdint.h>

#include "array.h"
#include "engine/epilogue.h"
#include "memory/axi_store.h"
#include "program/instruction.h"
#include "systole/systole.h"

/* Column parameters of one bank, as the epilogue wants them. */
typedef struct systole_model_bank {
  int32_t *bias, *multiplier;
  uint8_t *shift;
} systole_model_bank;

typedef struct systole_model_error {
  int code, unit;
  uint32_t index, detail;
} systole_model_error;

/* Device memory that is reached by transactions instead of pointers (a larger
 * simulation). Every unit reads and writes in the order of its instructions. */
enum { SYSTOLE_MODEL_LATER = -1 };
typedef struct systole_model_bus {
  void *user; /* of the functions */

  /* `bytes` at `address` into `to`, behind `ahead` bytes of instructions before that the
   * unit will ask for later (tiles, before column parameters). 0; or SYSTOLE_MODEL_LATER:
   * they are not here yet, and the same is asked for again; or SYSTOLE_ERROR_SLAVE,
   * SYSTOLE_ERROR_DECODE with the address of the burst in *bad. SYSTOLE_UNIT_FETCH reads
   * ahead of its time and is never told to come back. */
  int (*read)(void *user, int unit, uint64_t address, void *to, uint64_t bytes,
              uint64_t ahead, uint64_t *bad);
  /* The other way, for STORE number `index` of the program. 0 or an error. */
  int (*write)(void *user, uint32_t index, uint64_t address, const void *from,
               uint64_t bytes, uint64_t *bad);
} systole_model_bus;

typedef struct systole_model_tile {
  uint64_t address;
  uint32_t index; /* of its WEIGHTS */
} systole_model_tile;

typedef struct systole_model_machine {
  systole_geometry geometry;
  systole_axi_store *memory[2]; /* gmem0, gmem1; NULL with a bus */
  const systole_model_bus *bus; /* NULL: pointers into `memory` */
  uint8_t *ub;                  /* ub_rows x dim, see SystoleModelTurn */
  uint64_t generation;          /* of its contents */
  int32_t *acc;                 /* acc_rows x dim */
  systole_model_bank bank[2];
  systole_model_array *array;
  int32_t *raw; /* a raw row on its way */
  int8_t *row;  /* an int8 row likewise */

  /* The run. */
  uint64_t program, weights, activations; /* base pointers */
  systole_instruction *instructions;
  uint32_t count, room;             /* instructions; those there is memory for */
  uint32_t *of_unit[SYSTOLE_UNITS]; /* instruction numbers in order */
  uint32_t units_count[SYSTOLE_UNITS], units_next[SYSTOLE_UNITS];
  uint32_t tokens[SYSTOLE_UNITS][SYSTOLE_UNITS]; /* [from][to] */
  const uint8_t **tiles; /* device memory of tiles, in order of use */
  int64_t *starts;       /* of a MATMUL's steps */
  uint64_t tiles_count, tiles_used, tiles_room, starts_room;
  uint64_t raw_done, raw_stored; /* rows of the raw ACTIVATE and STORE at work */
  uint32_t executed;             /* instructions, END left out */

  /* With a bus: a unit waits for data; lines of the LOAD at work that are here, tiles of
   * the MATMUL at work likewise; where tiles are and whose they are, in order; a copy of
   * those of one MATMUL; what STORE is sending. */
  int waits;
  uint64_t load_lines, tiles_pulled;
  systole_model_tile *tile_from;
  uint8_t *tile_bytes, *sending;
  uint64_t tile_from_room, tile_bytes_room, sending_room;

  systole_model_error error;
  /* Events; cycles and bytes come from the forecast. */
  uint64_t zero_macs, ub_reads, ub_writes, weight_rows, acc_reads;
} systole_model_machine;

/* Memory of a machine of this geometry; `portable` as in array.h; `no_data`: it will only
 * be asked to count. The caller frees after failures too. */
systole_status systole_model_machine_make(systole_model_machine *machine,
                                          const systole_geometry *geometry, int portable,
                                          int no_data);
void systole_model_machine_free(systole_model_machine *machine);

/* Reads and checks the program. An error of the program is in machine->error; a status
 * other than SYSTOLE_OK is this machine's. */
systole_status systole_model_begin(systole_model_machine *machine, uint64_t program,
                                   uint64_t weights, uint64_t activations,
                                   uint32_t instructions);

/* Executes until all is done, an error is found, or `stop` instructions are executed.
 * *done is 1 in the first two cases. With a bus, also until data are missing. */
systole_status systole_model_continue(systole_model_machine *machine, uint32_t stop,
                                      int *done);

/* The error of a run in which nothing can move any more, if there is none yet. */
void systole_model_starve(systole_model_machine *machine);

/* Instead of executing: the events of the program, zero_macs apart, which depend on
 * data. */
void systole_model_count(systole_model_machine *machine);

#endif
