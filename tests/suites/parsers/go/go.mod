module gateline.test/parser

go 1.21
