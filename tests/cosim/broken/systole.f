../../../hw/rtl/systole_pkg.sv
systole.sv
