/* Writes .xclbin files for the simulated card: the same sections that XRT reads of a
 * card's file, with text that names a Verilated model where a card's has its bitstream.
 */
#ifndef SYSTOLE_SIM_XRT_XCLBIN_WRITE_H
#define SYSTOLE_SIM_XRT_XCLBIN_WRITE_H

#include "card/xrt/xclbin.h"
#include "cards.h"

typedef struct systole_xclbin_plan {
  systole_xclbin_image image; /* what plays the card */
  int axi_bytes;              /* width of the memory ports, for the metadata */
  const systole_sim_card *card;
  /* As v++ --config has it: lines `nk=systole:COUNT[:NAME.NAME...]` and
   * `sp=NAME.m_axi_PORT:BANK[i]` or `BANK[i:j]`; others are passed over. NULL: the
   * card's. A port without `sp` goes to the first bank. */
  const char *link;
} systole_xclbin_plan;

/* *data is *bytes bytes and freed by the caller. The same plan gives the same bytes.
 * SYSTOLE_ERR_ARGUMENT: the link configuration is wrong. */
systole_status systole_xclbin_make(uint8_t **data, uint64_t *bytes,
                                   const systole_xclbin_plan *plan);

#endif
