/* Generated from hw/rtl/systole_pkg.sv and hw/rtl/systole.sv by scripts/gen_kernel. Do
 * not edit: change these, run scripts/gen_kernel, and commit all.
 *
 * The kernel as XRT sees it. */
#ifndef SYSTOLE_CARD_SYSTOLE_KERNEL_H
#define SYSTOLE_CARD_SYSTOLE_KERNEL_H

/** of the kernel; a compute unit is called systole:NAME, NAME as the link says */
#define SYSTOLE_KERNEL_NAME "systole"
/** bytes of address space of the control port */
#define SYSTOLE_KERNEL_CONTROL_RANGE 0x1000

/** X(identifier, name): the ports to memory, in order of their names */
#define SYSTOLE_KERNEL_PORTS(X) \
  X(gmem0, "m_axi_gmem0")       \
  X(gmem1, "m_axi_gmem1")

/** X(identifier, number, register offset, bytes, 1 if a pointer, port) in the order of
 *  their numbers, which is also that of their registers */
#define SYSTOLE_KERNEL_ARGUMENTS(X)            \
  X(program, 0, 0x10, 8, 1, "m_axi_gmem1")     \
  X(weights, 1, 0x18, 8, 1, "m_axi_gmem1")     \
  X(activations, 2, 0x20, 8, 1, "m_axi_gmem0") \
  X(instructions, 3, 0x28, 4, 0, "s_axi_control")
#define SYSTOLE_KERNEL_ARGUMENT_COUNT 4
/** first byte after the last argument */
#define SYSTOLE_KERNEL_ARGUMENTS_END 0x2C

#endif
