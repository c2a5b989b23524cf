# Page tables, 40 clients have touched everything
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tables"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "MB"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [1.97526:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	16.81640625	16.81640625	16.81640625
EOD
$d1 << EOD
1	5.92578125	5.92578125	5.92578125
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Page tables over time, all workloads of round 1
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "time"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set xlabel "seconds"
set ylabel "MB"
$d0 << EOD
0.0	1.30
1.0	3.69
2.1	5.71
4.1	8.34
5.2	15.95
6.5	16.98
7.6	1.43
8.6	1.39
9.7	3.46
10.7	7.20
12.3	7.12
13.5	1.35
14.5	1.61
15.5	1.50
16.5	1.48
17.5	1.50
18.5	1.81
19.6	1.42
20.6	1.35
21.6	1.35
22.7	1.40
23.7	1.40
24.7	1.42
25.8	1.35
26.8	1.41
27.9	1.35
28.9	1.40
29.9	1.74
31.0	1.47
32.1	1.36
33.5	2.35
34.5	2.41
36.0	2.70
37.0	2.11
38.2	2.49
39.3	1.36
40.3	1.36
41.4	1.36
42.4	1.36
43.6	1.36
44.7	1.36
45.8	1.36
46.8	1.36
48.1	1.36
49.1	1.36
50.4	1.36
54.1	1.39
55.2	5.69
56.2	7.40
57.4	8.75
59.9	11.86
61.2	12.37
62.3	12.37
64.0	12.37
65.7	12.37
67.0	12.37
68.1	12.37
69.2	12.37
70.6	12.37
71.7	12.37
73.2	12.37
74.6	12.37
76.1	9.66
77.2	1.43
78.2	1.36
79.2	1.36
80.2	1.36
81.4	2.03
82.6	3.07
83.8	3.65
84.9	4.54
86.0	5.58
87.0	7.27
89.2	7.66
90.2	7.78
91.3	7.85
92.4	7.94
94.1	8.02
95.2	8.08
96.2	8.21
97.4	8.41
98.4	8.49
99.4	6.36
100.5	1.86
101.5	1.36
102.5	1.36
EOD
$d1 << EOD
0.0	1.21
1.0	2.95
3.2	5.66
4.3	2.73
5.4	1.28
6.4	1.28
7.4	5.00
8.7	6.05
9.9	1.28
10.9	1.28
11.9	1.48
12.9	1.39
13.9	1.28
14.9	1.28
16.0	1.28
17.0	1.28
18.0	1.28
19.0	2.20
20.0	2.12
21.1	2.15
22.1	2.27
23.2	2.06
24.2	1.28
25.2	1.28
26.2	1.28
27.2	1.41
28.2	3.84
30.2	6.05
31.2	6.21
32.3	6.21
33.5	6.21
34.5	6.21
35.7	6.21
36.7	6.21
38.0	6.21
39.0	6.21
40.0	6.21
41.2	6.21
42.4	6.21
43.5	6.21
44.6	5.96
46.0	1.32
47.0	1.28
48.1	1.28
49.1	2.94
51.1	6.05
52.2	6.21
53.2	6.21
54.3	6.21
55.4	6.21
56.5	6.21
57.5	6.21
58.6	6.21
59.6	6.21
60.7	6.21
61.9	4.61
63.0	1.73
64.0	1.28
65.0	1.28
66.0	1.28
67.0	1.28
68.1	1.28
69.1	1.28
70.1	1.28
71.1	1.28
72.1	1.28
73.2	1.28
74.2	1.28
EOD
plot $d0 using 1:2 with lines lw 2 lc rgb "#01020a" title "stock", $d1 using 1:2 with lines lw 2 lc rgb "#01020d" title "mshare"

# Connecting 40 clients at once
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "connect"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "s"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	1.99	1.99	1.99
EOD
$d1 << EOD
1	1.382	1.382	1.382
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Minor faults, all of it touched
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "faults"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "faults"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set logscale y
set yrange [6434:*]
set format y "%.0s %c"
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	109406	109406	109406
EOD
$d1 << EOD
1	19302	19302	19302
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d1 using 1:2 with boxes lc rgb "#01020d"

# Transactions per second, select-only, with spread
set terminal svg size 600,340 dynamic noenhanced font "sans-serif,15" name "tps"
set border 3 lw 1
set tics nomirror
set grid ytics lw 0.5
set key outside top center horizontal
set datafile separator "\t"
set ylabel "tps"
set style fill solid 0.85
set boxwidth 0.6
set xrange [-0.6:1.6]
unset key
set yrange [0:*]
set xtics ("stock" 0, "mshare" 1)
$d0 << EOD
0	482.668	204.6	696.9
EOD
$d1 << EOD
1	966.18	649.0	1519.9
EOD
plot $d0 using 1:2 with boxes lc rgb "#01020a", $d0 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black", $d1 using 1:2 with boxes lc rgb "#01020d", $d1 using 1:3:(0):($4-$3) with vectors heads size graph 0.012,90 lw 2 lc rgb "black"

