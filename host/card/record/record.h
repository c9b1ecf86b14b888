/* A card around another card that writes down what the host does with it.
 *
 * The file gets its name only when it is complete (systole_record_save); until then it
 * has none, where the file system allows that, and nothing is left of it when the process
 * is killed. Recording never fails a run: what cannot be written is told when it is
 * saved. */
#ifndef SYSTOLE_CARD_RECORD_H
#define SYSTOLE_CARD_RECORD_H

#include "card/card.h"

/* Takes `inner` over; *ops and *card are what the host uses from here on, closed by
 * (*ops)->close. On failure `inner` still is the caller's. `name` is the device's name.
 * SYSTOLE_ERR_IO: options->record_path cannot be written. */
systole_status systole_record_open(const systole_card_ops **ops, systole_card **card,
                                   const systole_card_ops *inner_ops, systole_card *inner,
                                   const char *name,
                                   const systole_device_options *options);

/* 1 if `ops` are those of a recorder. */
int systole_record_is(const systole_card_ops *ops);

/* Ends the recording and gives the file its name. *runs: runs in it; *cut: 1 when it
 * reached its limit before the end. SYSTOLE_ERR_IO, SYSTOLE_ERR_HOST_MEMORY (the disk is
 * full): nothing was written. */
systole_status systole_record_save(systole_card *card, uint64_t *runs, int *cut);

#endif
