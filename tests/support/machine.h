/* A card for tests: it interprets command streams in plain C, one instruction after the
 * other, with no clock. Any geometry, all of the instruction set (residual and pools
 * where the feature bits say so), the queues, tokens, weight FIFO and error codes of the
 * hardware.
 *
 * It is stricter than hardware in two ways:
 *   - units take turns in a random order that a seed fixes, so that a program that is
 * only right for one timing fails;
 *   - every access to the unified buffer, the accumulators and the parameter banks is
 * checked against the accesses of other units: two of which one writes must be ordered by
 * tokens, else the run ends as a race, whatever the order was this time. And each device
 * buffer is an island: a byte outside it answers DECERR.
 *
 * Device names are
 * "functional:DIM[,ub=ROWS][,acc=ROWS][,tiles=N][,axi=BYTES][,features=BITS]".
 */
#ifndef SYSTOLE_TESTS_MACHINE_H
#define SYSTOLE_TESTS_MACHINE_H

#include "card/card.h"
#include "systole/systole.h"

extern const systole_card_ops systole_card_functional;

/* Opens a device of the library on a functional card. `what` as above, after the colon.
 */
systole_status systole_machine_open(systole_device **out, const char *what,
                                    const systole_device_options *options);

/* The card below it. */
systole_card *systole_machine_card(systole_device *device);

/* The geometry that `what` means. */
systole_status systole_machine_geometry(systole_geometry *out, const char *what);

/* Order of the units' turns in the next runs. */
void systole_machine_seed(systole_card *card, uint64_t seed);

typedef enum systole_machine_fault {
  SYSTOLE_FAULT_NONE = 0,
  SYSTOLE_FAULT_SLVERR, /* instruction `at` gets SLVERR from memory */
  SYSTOLE_FAULT_HANG,   /* the run never ends; a reset helps */
  SYSTOLE_FAULT_MEMORY, /* memory never answers: error code memory, busy until reset */
  SYSTOLE_FAULT_CARD,   /* the card itself fails during the run */
  SYSTOLE_FAULT_READ,   /* reading device memory fails */
  SYSTOLE_FAULT_WRITE   /* writing device memory fails */
} systole_machine_fault;

/* Happens once: in the next run, or at the next transfer. */
void systole_machine_inject(systole_card *card, systole_machine_fault fault, uint32_t at);

/* Instructions that one call of wait executes; 0: all. */
void systole_machine_slice(systole_card *card, uint32_t instructions);

/* Bytes allocated now, both ports together, and runs since open. */
uint64_t systole_machine_allocated(const systole_card *card);
uint64_t systole_machine_runs(const systole_card *card);

/* 1: a run ends like a race, too, when it reads a row or bank that it has not written
 * itself, and when LOAD and STORE of the same bytes are not ordered by tokens. 0 (at
 * first): what earlier runs left may be read, and device memory is not looked at. */
void systole_machine_strict(systole_card *card, int strict);

/* 1 when the last run was ended by a race. */
int systole_machine_raced(const systole_card *card);

#endif
