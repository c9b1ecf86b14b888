/* One compute unit of one card, opened through XRT. */
#ifndef SYSTOLE_CARD_XRT_SESSION_H
#define SYSTOLE_CARD_XRT_SESSION_H

#include "card/xrt/api.h"
#include "card/xrt/name.h"
#include "card/xrt/xclbin.h"

typedef struct systole_xrt_session {
  systole_xrt_api api;
  void *device, *kernel;
  int unit;                         /* index in the xclbin; -1: none */
  int shared;                       /* beside OpenCL */
  const systole_xclbin *xclbin;     /* borrowed */
  char card[32];                    /* as named */
  struct systole_xrt_session *next; /* of those that this process has open */
} systole_xrt_session;

/* Loads the library, opens the card, loads the xclbin and opens the unit (or, if the name
 * has none, the first that this process does not use), exclusively or `shared`: beside
 * OpenCL, which opens it shared itself.
 * XRT aborts the process when its driver cannot be loaded, so where systole_xrt_is_live
 * says 0, only after a probe, or in a process that may die. */
systole_status systole_xrt_session_open(systole_xrt_session *out, /* must not move */
                                        systole_xrt_site *site,
                                        const systole_xrt_name *name,
                                        const systole_xclbin *xclbin, int shared);

/* Closes the unit and opens it again, which ends a run that is going. */
systole_status systole_xrt_session_reopen(systole_xrt_session *session);

void systole_xrt_session_close(systole_xrt_session *session);

/* One register of the unit. */
systole_status systole_xrt_session_read(const systole_xrt_session *session,
                                        uint32_t offset, uint32_t *value);

#endif
