// The unified buffer: rows of Dim bytes with two ports. Port A is the array's alone and only
// reads; port B serves store, residual, activation and load, which take turns outside.
// Read data one cycle after the address, held until the next read. A row that port B writes while
// port A reads it gives either value: tokens keep that from mattering.
`default_nettype none

module systole_unified_buffer #(
  parameter int Dim  = 16,
  parameter int Rows = 16384, // power of two
  localparam int RowBits = $clog2(Rows)
) (
  input  logic               clk_i,
  input  logic               a_read_i,
  input  logic [RowBits-1:0] a_row_i,
  output logic [8*Dim-1:0]   a_data_o,
  input  logic               b_enable_i,
  input  logic               b_write_i,
  input  logic [RowBits-1:0] b_row_i,
  input  logic [8*Dim-1:0]   b_data_i,
  output logic [8*Dim-1:0]   b_data_o
);
  (* ram_style = "ultra" *)
  logic [8*Dim-1:0] mem [0:Rows-1];

  always_ff @(posedge clk_i) begin
    if (a_read_i) a_data_o <= mem[a_row_i];
  end

  always_ff @(posedge clk_i) begin
    if (b_enable_i) begin
      if (b_write_i) mem[b_row_i] <= b_data_i;
      else b_data_o <= mem[b_row_i];
    end
  end

  initial begin
    if (Rows < 2 || 2**RowBits != Rows) $fatal(1, "systole_unified_buffer: Rows must be a power of two");
  end
endmodule

`default_nettype wire
