/* Names of devices behind XRT: xrt:FILE.xclbin[:card=CARD][:cu=UNIT], where CARD is an
 * index (0) or a PCIe address (0000:3b:00.1), and UNIT a compute unit of the file
 * (systole_1). Without them it is card 0, and the first unit that nobody uses. */
#ifndef SYSTOLE_CARD_XRT_NAME_H
#define SYSTOLE_CARD_XRT_NAME_H

#include "systole/systole.h"

typedef struct systole_xrt_name {
  char file[1024];
  char card[32]; /* as given; "0" */
  int index;     /* -1: `card` is a PCIe address */
  char unit[64]; /* "": any */
} systole_xrt_name;

/* `what` follows "xrt:". SYSTOLE_ERR_ARGUMENT when it has another form. */
systole_status systole_xrt_name_parse(systole_xrt_name *out, const char *what);

#endif
