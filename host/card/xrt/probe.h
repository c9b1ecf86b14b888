/* What XRT offers here, found out without risk: XRT ends the process with SIGABRT when
 * its driver cannot be loaded, so environment and files are looked at first, and the rest
 * is tried in a child process, systole-xrt-probe. */
#ifndef SYSTOLE_CARD_XRT_PROBE_H
#define SYSTOLE_CARD_XRT_PROBE_H

#include "card/xrt/api.h"
#include "card/xrt/name.h"

enum { SYSTOLE_XRT_MOST_CARDS = 16 };

/* On the helper's standard error: what XRT said before is of no interest. */
#define SYSTOLE_XRT_PROBE_MARK "systole-xrt-probe: opening"

typedef struct systole_xrt_probe {
  systole_xrt_site site;      /* filled as far as it was found */
  int simulated;              /* 1: the driver is the simulated card's */
  char simulated_version[16]; /* of XRT that it was built for */
  int cards;                  /* that can be opened */
  char said[512];             /* XRT's own last words, "" when it said nothing */
} systole_xrt_probe;

/* How many cards there are. Nothing is loaded onto them. SYSTOLE_ERR_NOT_FOUND: XRT does
 * not work here, or there is no card; the story says why. Takes 0.1 s, at most 30. */
systole_status systole_xrt_probe_cards(systole_xrt_probe *out);

/* The same, and opens the named card, loads the file and reads the kernel's identity. */
systole_status systole_xrt_probe_open(systole_xrt_probe *out,
                                      const systole_xrt_name *name);

#endif
