# Formats in place; a file is printed as well: format.ps1 PATH
param([Parameter(Mandatory)][string]$Path)
$ErrorActionPreference = 'Stop'
$files = if (Test-Path -LiteralPath $Path -PathType Container) {
    Get-ChildItem -LiteralPath $Path -Recurse -File -Include *.ps1, *.psm1, *.psd1
}
else { Get-Item -LiteralPath $Path }
foreach ($file in $files) {
    & "$PSScriptRoot/check.ps1" $file.FullName
    if ($LASTEXITCODE) { exit $LASTEXITCODE }
    $text = Get-Content -LiteralPath $file.FullName -Raw
    if ($text) { Set-Content -LiteralPath $file.FullName -Value (Invoke-Formatter -ScriptDefinition $text) -NoNewline }
}
if (Test-Path -LiteralPath $Path -PathType Leaf) { [Console]::Out.Write((Get-Content -LiteralPath $Path -Raw)) }
