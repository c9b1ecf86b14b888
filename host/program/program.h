/* The command stream of one product: built here, proven free of deadlock, executed
 * anywhere. */
#ifndef SYSTOLE_PROGRAM_PROGRAM_H
#define SYSTOLE_PROGRAM_PROGRAM_H

#include <stdint.h>

#include "program/instruction.h"
#include "program/plan.h"
#include "systole/systole.h"

typedef struct systole_program {
  systole_gemm_spec spec;
  systole_plan plan;
  systole_instruction *instructions;
  uint32_t count;
} systole_program;

/* Most MATMULs of one program; longer products are cut into several runs. 64 bytes each,
 * and as much again for what goes with them: up to 50 MB of host memory, 25 MB on the
 * device. */
#define SYSTOLE_PROGRAM_MAX_STEPS (1 << 17)

/* What one run computes of a larger product: rows, and column blocks. */
typedef struct systole_portion {
  int64_t rows, blocks;
} systole_portion;

/* A portion of this plan is one run: at most `steps` steps, and results that the host can
 * take in blocks. */
int systole_portion_fits(const systole_plan *plan, int64_t steps);

/* The next smaller portion, rows first; 0 when there is none. */
int systole_portion_shrink(systole_portion *portion, int dim);

/* Plans and schedules `spec` (m >= 1, n_blocks >= 1, K >= 1), and proves that the stream
 * ends. SYSTOLE_ERR_UNSUPPORTED: buffers too small; SYSTOLE_ERR_ARGUMENT: sizes overflow,
 * or more than SYSTOLE_PROGRAM_MAX_STEPS; SYSTOLE_ERR_INTERNAL: the proof failed. */
systole_status systole_program_make(systole_program **out,
                                    const systole_geometry *geometry,
                                    const systole_weights_layout *weights,
                                    const systole_gemm_spec *spec);

/* The same for memory of which the timing is known: among several plans the one that is
 * forecast to be fastest. systole_program_make takes `memory` for ideal; NULL keeps to
 * the usual plan, whose program is as short as any. */
systole_status systole_program_make_for(systole_program **out,
                                        const systole_geometry *geometry,
                                        const systole_weights_layout *weights,
                                        const systole_gemm_spec *spec,
                                        const systole_memory_timing *memory);
void systole_program_free(systole_program *program);

/* Checks each instruction as the units would, and that under any timing of the units and
 * of memory the stream runs to its END: queues, in-order dispatch, token counters, weight
 * FIFO and the hand-over of raw rows are followed once through, which decides for every
 * timing because each unit's order is fixed and none ever chooses. Nothing may be left
 * over at the end, and no token counter may pass its width. Time grows linearly with
 * `count`. SYSTOLE_ERR_ARGUMENT with a sentence that names the instruction. */
systole_status systole_prove(const systole_instruction *instructions, uint32_t count,
                             const systole_geometry *geometry);

#endif
