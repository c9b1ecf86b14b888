/* One compute unit of the simulated card: a Verilated kernel with a queue of commands and
 * a thread that does what XRT's driver does on a card (write the arguments, start, wait
 * for done). */
#ifndef SYSTOLE_SIM_XRT_UNIT_H
#define SYSTOLE_SIM_XRT_UNIT_H

#include "axi_store.h"
#include "card/xrt/xclbin.h"

struct ert_start_kernel_cmd; /* ert.h of XRT */

typedef struct systole_sim_unit systole_sim_unit;

/* Called by the unit's thread when a command has ended, well or badly. */
typedef void (*systole_sim_done)(void *owner);

/* Loads the model that `image` names and puts views[0] behind gmem0, views[1] behind
 * gmem1; both are copied. */
systole_status systole_sim_unit_create(systole_sim_unit **out, const char *name,
                                       const systole_xclbin_image *image,
                                       const systole_axi_store views[2]);

/* Ends a run that is going. Accepts NULL. */
void systole_sim_unit_destroy(systole_sim_unit *unit);

/* Appends a command. `packet` stays until its state says that it has ended; `done` is
 * called with `owner` after that. 0, or an errno: ENOMEM, EINVAL (not all arguments). */
int systole_sim_unit_submit(systole_sim_unit *unit, struct ert_start_kernel_cmd *packet,
                            systole_sim_done done, void *owner);

/* Commands of `owner` end with ERT_CMD_STATE_ABORT; a run of it that is going is cut off
 * and the kernel reset. Returns when none is left. */
void systole_sim_unit_abort(systole_sim_unit *unit, const void *owner);

/* Queued and running commands. */
int systole_sim_unit_load(systole_sim_unit *unit);

systole_status systole_sim_unit_read(systole_sim_unit *unit, uint32_t offset,
                                     uint32_t *value);
systole_status systole_sim_unit_write(systole_sim_unit *unit, uint32_t offset,
                                      uint32_t value);

#endif
