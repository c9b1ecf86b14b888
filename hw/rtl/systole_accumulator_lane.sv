// Accumulators of one array column: two halves, each a memory with one read and one write port.
//
//   mem[row] = (overwrite ? 0 : mem[row]) + psum
//
// The array's address comes one cycle before its partial sum. The activation unit reads through
// the same read port, only from a half into which no row is on its way (systole_matmul tells it).
// Timing: address in t, psum in t + 1, memory changed at the end of t + 1; read data one cycle
// after read_i, held until the next read. They have a register of their own for that: the
// activation unit may stand still for long, and rows for other addresses reach the half meanwhile.
`default_nettype none

module systole_accumulator_lane #(
  parameter int Rows     = 2048, // both halves together, power of two
  parameter int PsumBits = 20,
  localparam int RowBits = $clog2(Rows)
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       add_i,       // a partial sum comes in the next cycle
  input  logic [RowBits-1:0]         add_row_i,
  input  logic                       overwrite_i,
  input  logic signed [PsumBits-1:0] psum_i,
  input  logic                       read_i,
  input  logic [RowBits-1:0]         read_row_i,
  output logic [31:0]                read_data_o
);
  logic               add_q;
  logic               overwrite_q;
  logic [RowBits-1:0] row_q;
  logic               read_half_q;
  logic               fresh_q;       // read in the cycle before
  logic [31:0]        held_q;        // what was read before that
  logic [31:0]        data [0:1];
  logic [31:0]        sum;

  assign sum = (overwrite_q ? 32'd0 : data[row_q[RowBits-1]]) + 32'(psum_i);

  for (genvar h = 0; h < 2; h++) begin : g_half
    logic [31:0]        mem [0:Rows/2-1];
    logic [31:0]        data_q;
    logic               add_here;
    logic               read_here;
    logic [RowBits-2:0] row;
    assign add_here  = add_i && add_row_i[RowBits-1] == 1'(h);
    assign read_here = read_i && read_row_i[RowBits-1] == 1'(h);
    assign row       = add_here ? add_row_i[RowBits-2:0] : read_row_i[RowBits-2:0];
    always_ff @(posedge clk_i) begin
      if (add_here || read_here) data_q <= mem[row];
      if (add_q && row_q[RowBits-1] == 1'(h)) mem[row_q[RowBits-2:0]] <= sum;
    end
    assign data[h] = data_q;
  end

  always_ff @(posedge clk_i) begin
    row_q       <= add_row_i;
    overwrite_q <= overwrite_i;
    add_q       <= add_i;
    if (read_i) read_half_q <= read_row_i[RowBits-1];
    fresh_q     <= read_i;
    if (fresh_q) held_q <= data[read_half_q];
    if (!rst_ni) begin
      add_q   <= 1'b0;
      fresh_q <= 1'b0;
    end
  end
  assign read_data_o = fresh_q ? data[read_half_q] : held_q;

  initial begin
    if (Rows < 4 || 2**RowBits != Rows) $fatal(1, "systole_accumulator_lane: Rows must be a power of two, at least 4");
  end
endmodule

`default_nettype wire
