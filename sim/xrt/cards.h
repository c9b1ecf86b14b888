/* Memory of the Alveo cards that can be simulated, as XRT sees it. */
#ifndef SYSTOLE_SIM_XRT_CARDS_H
#define SYSTOLE_SIM_XRT_CARDS_H

#include <stdint.h>

/* Banks NAME[0] ... NAME[count - 1] of `bytes` each; the first is at `base`, the others
 * `step` bytes apart. */
typedef struct systole_sim_memory {
  const char *name;
  int hbm; /* 1: HBM, 0: DDR4 */
  int count;
  uint64_t base, step, bytes;
} systole_sim_memory;

typedef struct systole_sim_card {
  const char *name; /* "u250" */
  systole_sim_memory memory[2];
  int memories;
  const char *link; /* of one kernel, in the form of v++ --config; see xclbin_write.h */
} systole_sim_card;

/* NULL when there is no such card. */
const systole_sim_card *systole_sim_card_find(const char *name);

/* Card `index`, NULL beyond the last. */
const systole_sim_card *systole_sim_card_at(int index);

#endif
