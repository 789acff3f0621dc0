# The tests in a file or a directory (*.Tests.ps1), by Pester, and a JUnit report of them: test.ps1 REPORT PATH [ARGUMENT…]
# The arguments are the full names of tests, which may hold wildcards.
param([Parameter(Mandatory)][string]$Report, [Parameter(Mandatory)][string]$Path, [Parameter(ValueFromRemainingArguments)][string[]]$Names)
$configuration = New-PesterConfiguration
$configuration.Run.Path = $Path
$configuration.Run.PassThru = $true
$configuration.Output.Verbosity = 'Detailed'
$configuration.Output.RenderMode = 'Plaintext'
if ($Names) { $configuration.Filter.FullName = $Names }
$run = Invoke-Pester -Configuration $configuration
$run | Export-JUnitReport -Path $Report
exit [int]($run.Result -ne 'Passed')
